#include "launch/launcher/policy.h"

#include <algorithm>

#include "base/bounds.h"
#include "base/text.h"
#include "base/units.h"

namespace jobd::launch {

namespace {

// What the kernel takes of texts and their pointers together (execve(2), a stack of 8 MiB), with room for what we add ourselves.
constexpr size_t kMaxOnStack = 1900 * 1024;
static_assert(base::kMaxExecBytes + (base::kMaxArgs + base::kMaxEnv) * sizeof(char*) < kMaxOnStack);

base::Error Bad(std::string what) { return {base::Code::kInvalidArgument, std::move(what)}; }
base::Error Denied(std::string what) { return {base::Code::kPermissionDenied, std::move(what)}; }

bool HasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

base::Status CheckTexts(const LaunchRequest& request) {
  if (request.argv.empty()) return Bad("argv is empty");
  size_t total = 0;
  for (const std::string& arg : request.argv) {
    if (HasNul(arg)) return Bad("an argument holds a NUL byte");
    if (arg.size() > base::kMaxArgBytes) return Bad("an argument is longer than 128 KiB");
    total += arg.size() + 1 + sizeof(char*);
  }
  for (const auto& [name, value] : request.env) {
    if (name.empty() || name.find('=') != std::string::npos || HasNul(name)) return Bad("a variable has no proper name");
    if (HasNul(value)) return Bad("a variable holds a NUL byte");
    if (name.size() + value.size() + 1 > base::kMaxArgBytes) return Bad("a variable is longer than 128 KiB");
    total += name.size() + value.size() + 2 + sizeof(char*);
  }
  if (total > kMaxOnStack) return Bad("arguments and environment are larger than 1.9 MiB");
  if (request.stdin_data.size() > base::kMaxStdinBytes)
    return Bad("standard input is larger than " + base::FormatSize(base::kMaxStdinBytes));
  return base::Ok();
}

}  // namespace

base::Status CheckRequest(const LaunchRequest& request) {
  if (request.key.batch == 0 || request.key.index == 0 || request.key.attempt == 0) return Bad("the key is incomplete");
  if (request.job_count > base::kMaxJobs || request.key.index > request.job_count) return Bad("the index is outside the batch");
  if (!base::IsSafeName(request.owner)) return Bad("the owner is no safe name");
  if (!base::IsSafeName(request.correlation_id)) return Bad("the correlation ID is no safe name");
  JOBD_RETURN_IF_ERROR(CheckTexts(request));
  if (!request.workdir.empty() && request.workdir[0] != '/') return Bad("the working directory is not absolute");
  if (request.workdir.size() > base::kMaxPathBytes || HasNul(request.workdir)) return Bad("the working directory is no path");
  if (!base::IsSafeName(request.profile)) return Bad("the profile's name is no safe name");
  if (request.timeout < 0 || request.timeout > base::kMaxDuration) return Bad("the timeout is out of range");
  if (request.kill_after < 0 || request.kill_after > base::kMaxDuration) return Bad("kill_after is out of range");
  const JobLimits& limits = request.limits;
  bool in_range =
      limits.cpu_millis <= base::kMaxCpuMillis && limits.pids <= base::kMaxPids && limits.open_files <= base::kMaxOpenFiles;
  EachLimit([&](const char* /*name*/, auto limit) { in_range = in_range && limits.*limit <= base::kMaxAmount; });
  return in_range ? base::Ok() : Bad("a limit is out of range");
}

bool NeedsGrant(const Policy& policy, const sandbox::Profile& profile) { return !policy.privileged && !profile.namespaces; }

base::Result<const sandbox::Profile*> DecideProfile(const Policy& policy, const LaunchRequest& request) {
  const sandbox::Profile* profile = policy.profiles.Find(request.profile);
  if (profile == nullptr) return Bad("profile '" + request.profile + "' is not available");
  const auto owner = policy.owners.find(request.owner);
  if (owner == policy.owners.end()) return Denied(request.owner + " is no user of this service");
  const auto& allowed = owner->second.profiles;
  if (std::find(allowed.begin(), allowed.end(), request.profile) != allowed.end()) return profile;
  if (!allowed.empty()) return Denied("profile '" + request.profile + "' is not allowed for " + request.owner);
  if (!NeedsGrant(policy, *profile)) return profile;
  return Denied("profile '" + request.profile + "' gives a job jobd's own account here, as jobd is not root: it must be named in " +
                "the profiles of " + request.owner + " in the users file");
}

base::Status ApplyBounds(const Policy& policy, const ProfileCapabilities& profile, LaunchRequest& request) {
  const auto owner = policy.owners.find(request.owner);
  if (owner == policy.owners.end()) return Denied(request.owner + " is no user of this service");
  const OwnerBounds& bounds = owner->second.bounds;
  if (const auto beyond = ExceedsOwner(bounds, request.limits, request.timeout))
    return Denied(beyond->field + ": " + beyond->problem);
  if (WorkdirIsBounded(policy, request) && !MayWorkIn(bounds, request.workdir)) {
    return Denied("workdir: working there is not allowed for " + request.owner);
  }
  FillFromBounds(bounds, profile, request.limits, request.timeout);
  // Or a job that ignores TERM would run for as long as it says.
  if (bounds.timeout != 0) request.kill_after = std::min(request.kill_after, bounds.timeout);
  return base::Ok();
}

bool WorkdirIsBounded(const Policy& policy, const LaunchRequest& request) {
  const auto owner = policy.owners.find(request.owner);
  const bool bounded = owner != policy.owners.end() && !owner->second.bounds.workdirs.empty();
  return bounded && !request.workdir.empty() && request.workdir != policy.default_workdir;
}

base::Result<RunAs> DecideRunAs(const Policy& policy, const LaunchRequest& request) {
  if (request.user.empty()) {
    if (policy.job_user == "auto") return RunAs{policy.privileged ? RunAs::Kind::kOwnUid : RunAs::Kind::kSelf, {}};
    if (!policy.privileged && policy.job_user == policy.own_account) return RunAs{RunAs::Kind::kSelf, {}};
    if (!policy.privileged) return Bad("jobs cannot run as '" + policy.job_user + "': jobd is not root");
    if (policy.job_user == "root") return Denied("policy.job_user is root: only the users file can let jobs run as root");
    return RunAs{RunAs::Kind::kAccount, policy.job_user};
  }
  const auto owner = policy.owners.find(request.owner);
  const bool allowed = owner != policy.owners.end() && std::find(owner->second.run_as.begin(), owner->second.run_as.end(),
                                                                 request.user) != owner->second.run_as.end();
  if (!allowed) return Denied("running as '" + base::EscapeForTerminal(request.user) + "' is not allowed for " + request.owner);
  if (!policy.privileged) {
    if (request.user == policy.own_account) return RunAs{RunAs::Kind::kSelf, {}};
    return Denied("running as '" + base::EscapeForTerminal(request.user) + "' is not possible: jobd is not root");
  }
  return RunAs{RunAs::Kind::kAccount, request.user};
}

}  // namespace jobd::launch
