// The accounts of the machine that jobs may run as.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>

#include "base/result.h"
#include "launch/launcher/policy.h"
#include "sandbox/isolation/accounts.h"

namespace jobd::launch {

// The account, unless a job under it would get at what is jobd-server's: kPermissionDenied for its uid, for whoever is in its
// group, and for another name of root's. kNotFound when there is none.
base::Result<sandbox::Account> FindJobAccount(const Policy& policy, const std::string& name);

// The uids of all accounts that the policy names, jobd-server's among them, as far as the machine has them.
std::set<uid_t> UidsInPolicy(const Policy& policy);

// True of every account that the policy names, as far as the machine has it: for a check before anything starts.
base::Status CheckJobAccounts(const Policy& policy);

}  // namespace jobd::launch
