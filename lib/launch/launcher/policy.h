// The launcher's own policy, whatever the server asks for: a server that was taken over can do no more than run commands in the
// names of its users, as unprivileged accounts. Pure.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "launch/contract/capabilities.h"
#include "launch/contract/launch_request.h"
#include "sandbox/rules/profile.h"

namespace jobd::launch {

// What an owner may ask for.
struct OwnerRights {
  std::vector<std::string> run_as;    // the accounts they may name
  std::vector<std::string> profiles;  // empty: all but those that need a grant
  OwnerBounds bounds;
  uint32_t max_running = 0;  // jobs at once; 0: no bound of their own
};

struct Policy {
  bool privileged = false;  // we can switch users
  std::string own_account;  // jobs run as this when not privileged; a request may name it
  // For requests that name no account. "auto": as the profile says, a uid of the owner's or the job's own, when privileged, else
  // our own account.
  std::string job_user = "auto";
  // The server's account, as which no job may run: what the launcher hands to it would be the job's for the asking.
  std::optional<uid_t> server_uid;
  std::optional<gid_t> server_gid;  // nor in its group
  // Variables of each job, and the PATH that the server gives to one without: what a profile says wins over them, and the job over
  // that.
  std::vector<std::pair<std::string, std::string>> default_env;
  std::string default_path;
  // From the users file, which only root can write. Nothing is started for an owner who is not here.
  std::map<std::string, OwnerRights, std::less<>> owners;
  uint32_t max_running = 0;     // jobs at once, of all owners; 0: no bound
  std::string default_workdir;  // everybody may work there, whatever their folders
  sandbox::Profiles profiles = sandbox::Profiles::BuiltIn();
};

// The user to run as, before accounts are looked up.
struct RunAs {
  enum class Kind { kOwnUid, kSelf, kAccount };
  Kind kind = Kind::kSelf;
  std::string account;  // kAccount
};

// Is the request well-formed and within bounds? kInvalidArgument with what is wrong. The text names no secret.
base::Status CheckRequest(const LaunchRequest& request);

// A job of this profile would be jobd itself to the kernel: it could read its key and end it. So it is for owners who were granted
// it by name.
bool NeedsGrant(const Policy& policy, const sandbox::Profile& profile);

// The profile asked for. kInvalidArgument when there is none of that name, kPermissionDenied when the owner may not ask for it. The
// pointer lives as long as the policy.
base::Result<const sandbox::Profile*> DecideProfile(const Policy& policy, const LaunchRequest& request);

// Holds the request to the owner's bounds: what asks for no limit gets the most the owner may have. kPermissionDenied when it asks
// for more, or for a folder that is not theirs to work in.
base::Status ApplyBounds(const Policy& policy, const ProfileCapabilities& profile, LaunchRequest& request);
// True when the owner's folders are bounded and the request names one: then no symbolic link may lead out of it.
bool WorkdirIsBounded(const Policy& policy, const LaunchRequest& request);

// kPermissionDenied when the owner may not run as the account asked for. Root is nobody's but where the users file names it.
base::Result<RunAs> DecideRunAs(const Policy& policy, const LaunchRequest& request);

}  // namespace jobd::launch
