#include "launch/policy.h"

#include <algorithm>

#include "base/text.h"

namespace jobd::launch {

namespace {

constexpr base::Nanos kLongest = 101LL * 366 * 86400 * base::kNanosPerSecond;
constexpr uint32_t kMaxCpuMillis = 4096 * 1000;
constexpr uint32_t kMaxPids = 4 * 1024 * 1024;  // PID_MAX_LIMIT of the kernel
constexpr uint64_t kMaxBytes = uint64_t{1} << 62;
constexpr uint64_t kMaxOpenFiles = uint64_t{1} << 30;  // more than NR_OPEN of any kernel
constexpr uint32_t kMaxJobs = 10'000'000;
constexpr size_t kMaxStdin = 8 * 1024 * 1024;
constexpr size_t kMaxPath = 4096;

base::Error Bad(std::string what) { return {base::Code::kInvalidArgument, std::move(what)}; }
base::Error Denied(std::string what) { return {base::Code::kPermissionDenied, std::move(what)}; }

bool HasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

base::Status CheckTexts(const LaunchRequest& request) {
  if (request.argv.empty()) return Bad("argv is empty");
  size_t total = 0;
  for (const std::string& arg : request.argv) {
    if (HasNul(arg)) return Bad("an argument holds a NUL byte");
    if (arg.size() >= kMaxText) return Bad("an argument is longer than 128 KiB");
    total += arg.size() + 1 + sizeof(char*);
  }
  for (const auto& [name, value] : request.env) {
    if (name.empty() || name.find('=') != std::string::npos || HasNul(name)) return Bad("a variable has no proper name");
    if (HasNul(value)) return Bad("a variable holds a NUL byte");
    if (name.size() + value.size() + 1 >= kMaxText) return Bad("a variable is longer than 128 KiB");
    total += name.size() + value.size() + 2 + sizeof(char*);
  }
  if (total > kMaxTexts) return Bad("arguments and environment are larger than 1.9 MiB");
  if (request.stdin_data.size() > kMaxStdin) return Bad("standard input is larger than 8 MiB");
  return base::Ok();
}

}  // namespace

base::Status CheckRequest(const LaunchRequest& request) {
  if (request.key.batch == 0 || request.key.index == 0 || request.key.attempt == 0) return Bad("the key is incomplete");
  if (request.job_count > kMaxJobs || request.key.index > request.job_count) return Bad("the index is outside the batch");
  if (!base::IsSafeName(request.owner)) return Bad("the owner is no safe name");
  if (!base::IsSafeName(request.correlation_id)) return Bad("the correlation ID is no safe name");
  JOBD_RETURN_IF_ERROR(CheckTexts(request));
  if (!request.workdir.empty() && request.workdir[0] != '/') return Bad("the working directory is not absolute");
  if (request.workdir.size() >= kMaxPath || HasNul(request.workdir)) return Bad("the working directory is no path");
  if (!base::IsSafeName(request.profile)) return Bad("the profile's name is no safe name");
  if (request.timeout < 0 || request.timeout > kLongest) return Bad("the timeout is out of range");
  if (request.kill_after < 0 || request.kill_after > kLongest) return Bad("kill_after is out of range");
  const JobLimits& limits = request.limits;
  bool in_range = limits.cpu_millis <= kMaxCpuMillis && limits.pids <= kMaxPids && limits.open_files <= kMaxOpenFiles;
  EachLimit([&](const char* /*name*/, auto limit) { in_range = in_range && limits.*limit <= kMaxBytes; });
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
