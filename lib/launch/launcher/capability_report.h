// What jobs may ask of this launcher: its policy, its machine and its profiles, put together.
#pragma once

#include "launch/contract/capabilities.h"
#include "launch/launcher/policy.h"
#include "launch/shim/shim.h"
#include "sandbox/rules/profile.h"

namespace jobd::launch {

ProfileCapabilities ProfileCapabilitiesOf(const ShimContext& context, const Policy& policy, const sandbox::Profile& profile);
Capabilities CapabilitiesOf(const ShimContext& context, const Policy& policy);

}  // namespace jobd::launch
