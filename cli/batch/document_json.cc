#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/batch/document.h"
#include "cli/view/file_line.h"

namespace jobd::cli {

namespace {

using base::Result;

// Builds the tree event by event: so depth, size and equal keys are seen before they cost anything, and nothing is recursive.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const int& line) : line_(line) {}

  bool null() override { return Add(Make(Node::Kind::kNull)); }
  bool boolean(bool value) override { return AddScalar(value ? "true" : "false", false); }
  bool number_integer(number_integer_t value) override { return AddScalar(std::to_string(value), false); }
  bool number_unsigned(number_unsigned_t value) override { return AddScalar(std::to_string(value), false); }
  bool number_float(number_float_t, const string_t& text) override { return AddScalar(text, false); }
  bool string(string_t& value) override { return AddScalar(std::move(value), true); }
  bool binary(binary_t&) override { return Fail("binary data"); }
  bool start_object(size_t) override { return Open(Node::Kind::kMap); }
  bool key(string_t& name) override {
    auto& [map, keys] = open_.back();
    if (!keys.Add(*map, name)) return Fail("the key '" + name + "' is there twice");
    if (map->entries.size() >= kMaxKeys) return Fail("too many keys");
    map->entries.push_back({std::move(name), Node{}});
    return true;
  }
  bool end_object() override { return Close(); }
  bool start_array(size_t) override { return Open(Node::Kind::kList); }
  bool end_array() override { return Close(); }
  bool parse_error(size_t position, const std::string& token, const nlohmann::json::exception&) override {
    constexpr size_t kMaxToken = 40;
    return Fail("not JSON at byte " + std::to_string(position) +
                (token.empty() ? "" : ", near '" + token.substr(0, kMaxToken) + "'"));
  }

  Node root;
  std::string problem;

 private:
  Node Make(Node::Kind kind) const {
    Node node;
    node.kind = kind;
    node.line = line_;
    return node;
  }
  bool Fail(std::string what) {
    problem = std::move(what);
    return false;
  }
  bool AddScalar(std::string text, bool is_text) {
    Node node = Make(Node::Kind::kScalar);
    node.scalar = std::move(text);
    node.is_text = is_text;
    return Add(std::move(node));
  }
  // Where the next value belongs.
  Node* Place(Node node) {
    if (open_.empty()) {
      root = std::move(node);
      return &root;
    }
    Node* parent = open_.back().node;
    if (parent->kind == Node::Kind::kMap) {
      parent->entries.back().value = std::move(node);
      return &parent->entries.back().value;
    }
    parent->items.push_back(std::move(node));
    return &parent->items.back();
  }
  bool Add(Node node) {
    if (++nodes_ > kMaxNodes) return Fail("too many values");
    Place(std::move(node));
    return true;
  }
  bool Open(Node::Kind kind) {
    if (open_.size() >= static_cast<size_t>(kMaxDepth)) return Fail("nested too deeply");
    if (++nodes_ > kMaxNodes) return Fail("too many values");
    open_.push_back({Place(Make(kind)), {}});
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  const int& line_;  // where the lexer is
  size_t nodes_ = 0;
  // The way from the root to where we are. A parent's children move only when a sibling is added, and then none of them is open.
  struct Level {
    Node* node = nullptr;
    KeySet keys;
  };
  std::vector<Level> open_;
};

// The text's characters, counting lines as they are read: the library tells no positions with its events.
class LineCounter {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  LineCounter(const char* at, int* line) : at_(at), line_(line) {}
  reference operator*() const { return *at_; }
  LineCounter& operator++() {
    if (*at_ == '\n') ++*line_;
    ++at_;
    return *this;
  }
  bool operator==(const LineCounter& other) const { return at_ == other.at_; }
  bool operator!=(const LineCounter& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  int* line_;
};

}  // namespace

const Node* Node::Find(std::string_view key) const {
  for (const auto& [name, node] : entries) {
    if (name == key) return &node;
  }
  return nullptr;
}

Result<Node> ParseJson(std::string_view text, const std::string& file, int first_line) {
  int line = first_line;
  Builder builder(line);
  const char* const end = text.data() + text.size();
  try {
    if (nlohmann::json::sax_parse(LineCounter(text.data(), &line), LineCounter(end, &line), &builder))
      return std::move(builder.root);
  } catch (const std::exception& error) {
    builder.problem = error.what();
  }
  return AtLine(file, line, builder.problem);
}

}  // namespace jobd::cli
