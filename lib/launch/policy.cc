#include "launch/policy.h"

#include <algorithm>

#include "base/text.h"

namespace jobd::launch {

namespace {

constexpr base::Nanos kLongest = 101LL * 366 * 86400 * base::kNanosPerSecond;
constexpr uint32_t kMaxCpuMillis = 4096 * 1000;
constexpr uint32_t kMaxPids = 4 * 1024 * 1024;  // PID_MAX_LIMIT of the kernel
constexpr uint64_t kMaxBytes = uint64_t{1} << 62;
constexpr uint32_t kMaxJobs = 10'000'000;
constexpr size_t kMaxStdin = 8 * 1024 * 1024;
constexpr size_t kMaxPath = 4096;

base::Error Bad(std::string what) { return {base::Code::kInvalidArgument, std::move(what)}; }

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
  if (limits.memory_bytes > kMaxBytes || limits.cpu_millis > kMaxCpuMillis || limits.pids > kMaxPids ||
      limits.output_bytes > kMaxBytes) {
    return Bad("a limit is out of range");
  }
  return base::Ok();
}

base::Result<const sandbox::Profile*> DecideProfile(const Policy& policy, const LaunchRequest& request) {
  const sandbox::Profile* profile = policy.profiles.Find(request.profile);
  if (profile == nullptr) return Bad("profile '" + request.profile + "' is not available");
  const auto allowed = policy.allowed_profiles.find(request.owner);
  if (allowed == policy.allowed_profiles.end() || allowed->second.empty()) return profile;
  if (std::find(allowed->second.begin(), allowed->second.end(), request.profile) != allowed->second.end()) return profile;
  return base::Error(base::Code::kPermissionDenied, "profile '" + request.profile + "' is not allowed for " + request.owner);
}

base::Result<RunAs> DecideRunAs(const Policy& policy, const LaunchRequest& request) {
  if (request.user.empty()) {
    if (policy.job_user == "auto") return RunAs{policy.privileged ? RunAs::Kind::kOwnUid : RunAs::Kind::kSelf, {}};
    if (!policy.privileged && policy.job_user == policy.own_account) return RunAs{RunAs::Kind::kSelf, {}};
    if (!policy.privileged) return Bad("jobs cannot run as '" + policy.job_user + "': jobd is not root");
    return RunAs{RunAs::Kind::kAccount, policy.job_user};
  }
  const auto allowed = policy.run_as.find(request.owner);
  if (allowed == policy.run_as.end() ||
      std::find(allowed->second.begin(), allowed->second.end(), request.user) == allowed->second.end()) {
    return base::Error(base::Code::kPermissionDenied,
                       "running as '" + base::EscapeForTerminal(request.user) + "' is not allowed for " + request.owner);
  }
  if (!policy.privileged) {
    if (request.user == policy.own_account) return RunAs{RunAs::Kind::kSelf, {}};
    return base::Error(base::Code::kPermissionDenied,
                       "running as '" + base::EscapeForTerminal(request.user) + "' is not possible: jobd is not root");
  }
  return RunAs{RunAs::Kind::kAccount, request.user};
}

}  // namespace jobd::launch
