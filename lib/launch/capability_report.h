// What jobs may ask of this launcher: its policy, its machine and its profiles, put together.
#pragma once

#include "launch/contract/capabilities.h"
#include "launch/policy.h"
#include "launch/shim.h"
#include "sandbox/job_group.h"
#include "sandbox/profile.h"

namespace jobd::launch {

// The part of the limits that holds for all processes of a job together.
sandbox::GroupLimits GroupLimitsOf(const JobLimits& limits);

ProfileCapabilities ProfileCapabilitiesOf(const ShimContext& context, const Policy& policy, const sandbox::Profile& profile);
Capabilities CapabilitiesOf(const ShimContext& context, const Policy& policy);

}  // namespace jobd::launch
