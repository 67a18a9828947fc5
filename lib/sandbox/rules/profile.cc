#include "sandbox/rules/profile.h"

#include <algorithm>

namespace jobd::sandbox {

namespace {

constexpr uint64_t kTmpBytes = 1ull << 30;
constexpr uint64_t kTmpInodes = 1u << 20;

}  // namespace

Profiles Profiles::BuiltIn() {
  Profiles profiles;
  profiles.all_ = {
      {.name = "open"},
      {.name = "standard",
       .namespaces = true,
       .filter = SyscallFilter::kStandard,
       .tmp_bytes = kTmpBytes,
       .tmp_inodes = kTmpInodes},
      {.name = "strict",
       .namespaces = true,
       .read_only = true,
       .network = false,
       .filter = SyscallFilter::kStrict,
       .landlock = true,
       .tmp_bytes = kTmpBytes,
       .tmp_inodes = kTmpInodes,
       .uid = UidPer::kJob},
  };
  return profiles;
}

const Profile* Profiles::Find(std::string_view name) const {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const Profile& profile) { return profile.name == name; });
  return found != all_.end() ? &*found : nullptr;
}

}  // namespace jobd::sandbox
