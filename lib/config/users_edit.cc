#include "config/users_edit.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/toml_text.h"

namespace jobd::config {

namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

// Where lines and columns of toml++ are in the bytes of a text. Its columns count code points, from 1.
class Places {
 public:
  explicit Places(std::string_view text) : text_(text) {
    lines_.push_back(0);
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') lines_.push_back(i + 1);
    }
  }
  size_t Offset(const toml::source_position& place) const {
    size_t offset = lines_[std::min<size_t>(place.line, lines_.size()) - 1];
    for (auto column = place.column; column > 1 && offset < text_.size(); --column) {
      ++offset;
      while (offset < text_.size() && (static_cast<unsigned char>(text_[offset]) & 0xc0) == 0x80) ++offset;
    }
    return offset;
  }
  size_t LineBegin(size_t offset) const {
    const size_t before = offset == 0 ? std::string_view::npos : text_.rfind('\n', offset - 1);
    return before == std::string_view::npos ? 0 : before + 1;
  }
  // Behind its line feed, or the end of the text.
  size_t LineEnd(size_t offset) const {
    const size_t end = text_.find('\n', offset);
    return end == std::string_view::npos ? text_.size() : end + 1;
  }
  bool IsBlank(size_t begin, size_t end) const {
    return text_.substr(begin, end - begin).find_first_not_of(" \t\r\n") == std::string_view::npos;
  }

 private:
  std::string_view text_;
  std::vector<size_t> lines_;
};

std::string Quoted(const std::string& text) { return "\"" + text + "\""; }  // of names and hashes, which need no escapes

std::string LineFeedOf(std::string_view text) {
  const size_t end = text.find('\n');
  return end != std::string_view::npos && end > 0 && text[end - 1] == '\r' ? "\r\n" : "\n";
}

// A users file that parsed, and one of its entries.
struct Entry {
  toml::table root;
  size_t index = 0;  // in root's "user"
  toml::table& table() { return *root.get_as<toml::array>("user")->get_as<toml::table>(index); }
};

Result<Entry> Open(const std::string& file, const std::string& text, const std::string& name) {
  JOBD_ASSIGN_OR_RETURN(const Users users, Users::Parse(file, text));
  const Error none(Code::kNotFound, "there is no user '" + base::EscapeForTerminal(name) + "' in " + file);
  if (users.Find(name) == nullptr) return none;
  JOBD_ASSIGN_OR_RETURN(toml::table root, ParseToml(file, text));
  const toml::array& list = *root.get_as<toml::array>("user");
  for (size_t i = 0; i < list.size(); ++i) {
    if (ScalarText(*list.get_as<toml::table>(i)->get("name")) == name) return Entry{.root = std::move(root), .index = i};
  }
  return none;
}

bool HasAdmin(const Users& users) {
  return std::ranges::any_of(users.all(), [](const User& user) { return user.role == Role::kAdmin && !user.disabled; });
}

// The new text, when it means what `wanted` says, and the old one `before` with it.
Result<std::string> Checked(const std::string& file, const std::string& old_text, std::string new_text, const toml::table& wanted) {
  const Error unable(Code::kFailedPrecondition,
                     file + " has this entry written in a way that can't be changed by a command: change it with an editor");
  const auto parsed = ParseToml(file, new_text);
  if (!parsed.ok() || *parsed != wanted) return unable;
  JOBD_ASSIGN_OR_RETURN(const Users after, Users::Parse(file, new_text));
  JOBD_ASSIGN_OR_RETURN(const Users before, Users::Parse(file, old_text));
  if (HasAdmin(before) && !HasAdmin(after)) {
    return Error(Code::kFailedPrecondition,
                 "no enabled admin would be left, and jobd would not take up such a file: add another first");
  }
  return new_text;
}

// `key = literal` in the entry, in the place of what the key has, else behind the name.
template <typename Value>
Result<std::string> SetKey(const std::string& file, const std::string& text, Entry entry, const char* key, Value value,
                           const std::string& literal) {
  const Places places(text);
  toml::table& table = entry.table();
  std::string changed = text;
  if (const toml::node* old = table.get(key)) {
    const size_t begin = places.Offset(old->source().begin);
    changed.replace(begin, places.Offset(old->source().end) - begin, literal);
  } else {
    const toml::node& name = *table.get("name");
    const size_t behind = places.Offset(name.source().end);
    const std::string setting = std::string(key) + " = " + literal;
    if (table.is_inline()) {
      changed.insert(behind, ", " + setting);
    } else {
      const size_t line = places.LineBegin(places.Offset(name.source().begin));
      const size_t indent = text.find_first_not_of(" \t", line) - line;
      const size_t end = places.LineEnd(behind);
      const std::string feed = LineFeedOf(text);
      const bool open = end == text.size() && !text.ends_with('\n');
      changed.insert(end, (open ? feed : "") + text.substr(line, indent) + setting + feed);
    }
  }
  table.insert_or_assign(key, std::move(value));
  return Checked(file, text, std::move(changed), entry.root);
}

// Where the last thing in a table ends.
size_t EndOf(const toml::table& table, const Places& places) {
  size_t end = places.Offset(table.source().end);
  for (const auto& [key, node] : table) {
    const toml::table* below = node.as_table();
    end = std::max(end, below != nullptr ? EndOf(*below, places) : places.Offset(node.source().end));
  }
  return end;
}

}  // namespace

Result<std::string> AddUser(const std::string& file_name, const std::string& text, const std::string& name, Role role,
                            const std::string& password_hash) {
  JOBD_ASSIGN_OR_RETURN(const Users users, Users::Parse(file_name, text));
  if (!base::IsSafeName(name)) {
    return Error(Code::kInvalidArgument,
                 "'" + base::EscapeForTerminal(name) + "' is no name of a user: letters, digits, '_', and then also '.', ':', '-'");
  }
  if (users.Find(name) != nullptr) return Error(Code::kAlreadyExists, "there is a user '" + name + "' already in " + file_name);
  JOBD_ASSIGN_OR_RETURN(toml::table wanted, ParseToml(file_name, text));
  const std::string feed = LineFeedOf(text);
  std::string added;
  if (!text.empty()) added += text.ends_with('\n') ? feed : feed + feed;
  added += "[[user]]" + feed + "name = " + Quoted(name) + feed + "role = " + Quoted(std::string(RoleName(role))) + feed;
  toml::table entry;
  entry.insert("name", name);
  entry.insert("role", std::string(RoleName(role)));
  if (!password_hash.empty()) {
    added += "password = " + Quoted(password_hash) + feed;
    entry.insert("password", password_hash);
  }
  if (wanted.get("user") == nullptr) wanted.insert("user", toml::array());
  wanted.get_as<toml::array>("user")->push_back(std::move(entry));
  return Checked(file_name, text, text + added, wanted);
}

Result<std::string> RemoveUser(const std::string& file_name, const std::string& text, const std::string& name) {
  JOBD_ASSIGN_OR_RETURN(Entry entry, Open(file_name, text, name));
  const Places places(text);
  const toml::table& table = entry.table();
  size_t begin = places.LineBegin(places.Offset(table.source().begin));
  size_t end = places.LineEnd(EndOf(table, places));
  // Of the blank lines around it those before it are enough.
  const bool blank_before = begin == 0 || places.IsBlank(places.LineBegin(begin - 1), begin);
  while (blank_before && end < text.size() && places.IsBlank(end, places.LineEnd(end))) end = places.LineEnd(end);
  if (end == text.size()) {
    while (begin > 0 && places.IsBlank(places.LineBegin(begin - 1), begin)) begin = places.LineBegin(begin - 1);
  }
  std::string changed = text;
  changed.erase(begin, end - begin);
  toml::array& list = *entry.root.get_as<toml::array>("user");
  list.erase(list.begin() + static_cast<ptrdiff_t>(entry.index));
  if (list.empty()) entry.root.erase("user");
  return Checked(file_name, text, std::move(changed), entry.root);
}

Result<std::string> SetPassword(const std::string& file_name, const std::string& text, const std::string& name,
                                const std::string& password_hash) {
  JOBD_ASSIGN_OR_RETURN(Entry entry, Open(file_name, text, name));
  return SetKey(file_name, text, std::move(entry), "password", password_hash, Quoted(password_hash));
}

Result<std::string> SetDisabled(const std::string& file_name, const std::string& text, const std::string& name, bool disabled) {
  JOBD_ASSIGN_OR_RETURN(Entry entry, Open(file_name, text, name));
  const toml::node* old = entry.table().get("disabled");
  if ((old != nullptr && old->as_boolean()->get()) == disabled) return text;
  return SetKey(file_name, text, std::move(entry), "disabled", disabled, disabled ? "true" : "false");
}

}  // namespace jobd::config
