// The accounts of the machine that jobs may run as.
#pragma once

#include <string>

#include "base/result.h"
#include "launch/launcher/policy.h"
#include "sandbox/isolation/accounts.h"

namespace jobd::launch {

// The account, unless a job under it would get at what is jobd-server's: kPermissionDenied for its uid, for whoever is in its
// group, and for another name of root's. kNotFound when there is none.
base::Result<sandbox::Account> FindJobAccount(const Policy& policy, const std::string& name);

// True of every account that the policy names, as far as the machine has it: for a check before anything starts.
base::Status CheckJobAccounts(const Policy& policy);

}  // namespace jobd::launch
