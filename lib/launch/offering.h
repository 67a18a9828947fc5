// What this launcher offers: its policy, its machine and its profiles, put together.
#pragma once

#include "launch/contract/offer.h"
#include "launch/policy.h"
#include "launch/shim.h"
#include "sandbox/job_group.h"
#include "sandbox/profile.h"

namespace jobd::launch {

// The part of the limits that holds for all processes of a job together.
sandbox::GroupLimits GroupLimitsOf(const JobLimits& limits);

ProfileOffer OfferOf(const ShimContext& context, const Policy& policy, const sandbox::Profile& profile);
Offer MakeOffer(const ShimContext& context, const Policy& policy);

}  // namespace jobd::launch
