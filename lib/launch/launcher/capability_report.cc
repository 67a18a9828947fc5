#include "launch/launcher/capability_report.h"

#include <sys/resource.h>

#include <algorithm>

namespace jobd::launch {

namespace {

// Of the launcher: its own files, sockets and sweeps; and each job's shim, by its process and its channel.
constexpr rlim_t kOwnDescriptors = 64;
constexpr rlim_t kDescriptorsOfAJob = 2;

}  // namespace

ProfileCapabilities ProfileCapabilitiesOf(const ShimContext& context, const Policy& policy, const sandbox::Profile& profile) {
  // What cannot be had for now is not refused: its jobs wait.
  const auto enforced = context.isolation->Check(profile);
  ProfileCapabilities can{.name = profile.name,
                          .missing = !enforced.ok() && enforced.error().code() == base::Code::kFailedPrecondition,
                          .needs_grant = NeedsGrant(policy, profile),
                          .private_tmp = profile.namespaces,
                          .tmp_bytes = profile.tmp_bytes,
                          .file_bytes = profile.file_bytes,
                          .open_files = profile.open_files};
  // Beyond what we were given ourselves we cannot give.
  if (can.open_files == 0 && context.job_files.rlim_max != RLIM_INFINITY) can.open_files = context.job_files.rlim_max;
  return can;
}

Capabilities CapabilitiesOf(const ShimContext& context, const Policy& policy) {
  Capabilities capabilities;
  for (const sandbox::Profile& profile : policy.profiles.all())
    capabilities.profiles.push_back(ProfileCapabilitiesOf(context, policy, profile));
  EachLimit([&](const char* name, auto limit) {
    JobLimits one;
    one.*limit = 1;
    if (!context.driver->Check(GroupLimitsOf(one)).ok()) capabilities.missing_limits.emplace_back(name);
  });
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
    const rlim_t free = files.rlim_cur > kOwnDescriptors ? files.rlim_cur - kOwnDescriptors : 0;
    capabilities.most_jobs = static_cast<uint32_t>(std::clamp<rlim_t>(free / kDescriptorsOfAJob, 1, 10'000'000));
  }
  // What we were started without we cannot give.
  rlimit core{};
  if (::getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0) capabilities.missing_limits.emplace_back("core_bytes");
  return capabilities;
}

}  // namespace jobd::launch
