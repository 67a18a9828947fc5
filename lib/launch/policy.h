// What the launcher allows, whatever the server asks for: a server that was taken over gains nothing but to run, as unprivileged
// accounts, commands in the names of its users. Pure.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "launch/contract/launch_request.h"
#include "sandbox/profile.h"

namespace jobd::launch {

struct Policy {
  bool privileged = false;  // we can switch users
  std::string own_account;  // whom jobs run as when not: a request may name it
  // For requests that name no account. "auto": a uid of its own for each job when privileged, else our own account.
  std::string job_user = "auto";
  // By owner: the accounts they may name. From the users file, which only root can write.
  std::map<std::string, std::vector<std::string>, std::less<>> run_as;
  // The server's account, as which no job may run: what the launcher hands to it would be the job's for the asking.
  std::optional<uid_t> server_uid;
  // By owner: the profiles they may ask for. Who is not here, or has an empty list, may ask for all.
  std::map<std::string, std::vector<std::string>, std::less<>> allowed_profiles;
  sandbox::Profiles profiles = sandbox::Profiles::BuiltIn();
};

// The kernel's own bounds (execve(2)): one text, and all together with their pointers on a stack of 8 MiB.
inline constexpr size_t kMaxText = 128 * 1024;
inline constexpr size_t kMaxTexts = 1900 * 1024;

// Whom to run as, before accounts are looked up.
struct RunAs {
  enum class Kind { kOwnUid, kSelf, kAccount };
  Kind kind = Kind::kSelf;
  std::string account;  // kAccount
};

// Is the request well-formed and within bounds? kInvalidArgument with what is wrong. The text names no secret.
base::Status CheckRequest(const LaunchRequest& request);

// The profile asked for. kInvalidArgument when there is none of that name, kPermissionDenied when the owner may not ask for it. The
// pointer lives as long as the policy.
base::Result<const sandbox::Profile*> DecideProfile(const Policy& policy, const LaunchRequest& request);

// kPermissionDenied when the owner may not run as the account asked for.
base::Result<RunAs> DecideRunAs(const Policy& policy, const LaunchRequest& request);

}  // namespace jobd::launch
