#include "launch/launcher/capability_report.h"

namespace jobd::launch {

ProfileCapabilities ProfileCapabilitiesOf(const ShimContext& context, const Policy& policy, const sandbox::Profile& profile) {
  ProfileCapabilities can{.name = profile.name,
                          .missing = !context.isolation->Check(profile).ok(),
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
  return capabilities;
}

}  // namespace jobd::launch
