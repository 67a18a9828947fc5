// The file in which an administrator keeps profiles.
#include <map>

#include "base/text.h"
#include "base/units.h"
#include "config/toml_text.h"
#include "sandbox/rules/profile.h"

namespace jobd::sandbox {

namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr size_t kMaxProfiles = 200;  // all of them travel to the server in one frame

Error Bad(std::string what) { return {Code::kInvalidArgument, std::move(what)}; }

Status ReadFlag(const toml::node& node, bool& flag) {
  if (!node.is_boolean()) return Bad("must be true or false");
  flag = node.as_boolean()->get();
  return base::Ok();
}

Status ReadCount(const toml::node& node, uint64_t& count) {
  const auto* number = node.as_integer();
  if (number == nullptr || number->get() < 0) return Bad("must be a number that is not negative");
  count = static_cast<uint64_t>(number->get());
  return base::Ok();
}

Status ReadSize(const toml::node& node, uint64_t& bytes) {
  const auto text = config::ScalarText(node);
  if (!text) return Bad("must be a size, as in \"64M\"");
  if (*text == "0") {
    bytes = 0;
    return base::Ok();
  }
  JOBD_ASSIGN_OR_RETURN(bytes, base::ParseSize(*text));
  return base::Ok();
}

Status ReadFilter(const toml::node& node, SyscallFilter& filter) {
  const auto text = config::ScalarText(node);
  if (text == "none")
    filter = SyscallFilter::kNone;
  else if (text == "standard")
    filter = SyscallFilter::kStandard;
  else if (text == "strict")
    filter = SyscallFilter::kStrict;
  else
    return Bad("must be one of: none, standard, strict");
  return base::Ok();
}

Status ReadUid(const toml::node& node, UidPer& uid) {
  const auto text = config::ScalarText(node);
  if (text != "owner" && text != "job") return Bad("must be one of: owner, job");
  uid = text == "owner" ? UidPer::kOwner : UidPer::kJob;
  return base::Ok();
}

Status ReadVariables(const toml::node& node, Profile& profile) {
  if (!node.is_table()) return Bad("must be a table, as in { NAME = \"value\" }");
  JOBD_ASSIGN_OR_RETURN(const auto more, config::VariablesOf(*node.as_table()));
  for (const auto& [name, value] : more) {
    std::erase_if(profile.env, [&](const auto& known) { return known.first == name; });
    profile.env.emplace_back(name, value);
  }
  return base::Ok();
}

Status ReadKey(std::string_view key, const toml::node& node, Profile& profile) {
  if (key == "namespaces") return ReadFlag(node, profile.namespaces);
  if (key == "read_only") return ReadFlag(node, profile.read_only);
  if (key == "network") return ReadFlag(node, profile.network);
  if (key == "landlock") return ReadFlag(node, profile.landlock);
  if (key == "filter") return ReadFilter(node, profile.filter);
  if (key == "tmp_size") return ReadSize(node, profile.tmp_bytes);
  if (key == "tmp_files") return ReadCount(node, profile.tmp_inodes);
  if (key == "file_size") return ReadSize(node, profile.file_bytes);
  if (key == "open_files") return ReadCount(node, profile.open_files);
  if (key == "uid") return ReadUid(node, profile.uid);
  if (key == "env") return ReadVariables(node, profile);
  return Bad("unknown key");
}

Result<Profile> ReadProfile(const std::string& file, const toml::table& table, const std::string& name, const Profiles& known) {
  const toml::node* parent = table.get("inherits");
  const auto parent_name = parent != nullptr ? config::ScalarText(*parent) : std::optional<std::string>("standard");
  const Profile* inherited = parent_name ? known.Find(*parent_name) : nullptr;
  if (inherited == nullptr) return config::ErrorAt(file, *parent, "inherits: no profile of that name stands before");
  Profile profile = *inherited;
  profile.name = name;
  for (const auto& [key, node] : table) {
    if (key.str() == "inherits") continue;
    if (const Status status = ReadKey(key.str(), node, profile); !status.ok()) {
      return config::ErrorAt(file, node, base::EscapeForTerminal(key.str()) + ": " + status.error().message());
    }
  }
  if (!profile.namespaces && (profile.read_only || !profile.network || profile.landlock)) {
    return config::ErrorAt(file, table, "read_only, landlock and network = false need namespaces = true");
  }
  return profile;
}

}  // namespace

Result<Profiles> Profiles::Parse(const std::string& file_name, std::string_view text) {
  JOBD_ASSIGN_OR_RETURN(const toml::table root, config::ParseToml(file_name, text));
  Profiles profiles = BuiltIn();
  for (const auto& [key, node] : root) {
    if (key.str() != "profile" || !node.is_table())
      return config::ErrorAt(file_name, node, "expected [profile.NAME] sections only");
  }
  const toml::table* sections = root["profile"].as_table();
  if (sections == nullptr) return profiles;
  // A table has no order of its own; the file has.
  std::map<toml::source_position, std::pair<std::string, const toml::table*>> in_order;
  for (const auto& [name, node] : *sections) {
    if (!node.is_table() || !base::IsSafeName(name.str())) return config::ErrorAt(file_name, node, "expected [profile.NAME]");
    if (profiles.Find(name.str()) != nullptr) return config::ErrorAt(file_name, node, "a built-in profile cannot be changed");
    in_order.emplace(node.source().begin, std::pair(std::string(name.str()), node.as_table()));
  }
  if (in_order.size() > kMaxProfiles) return config::ErrorAt(file_name, *sections, "more than 200 profiles");
  for (const auto& [position, section] : in_order) {
    JOBD_ASSIGN_OR_RETURN(Profile profile, ReadProfile(file_name, *section.second, section.first, profiles));
    profiles.all_.push_back(std::move(profile));
  }
  return profiles;
}

}  // namespace jobd::sandbox
