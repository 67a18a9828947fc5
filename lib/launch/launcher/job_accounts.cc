#include "launch/launcher/job_accounts.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace jobd::launch {

base::Result<sandbox::Account> FindJobAccount(const Policy& policy, const std::string& name) {
  JOBD_ASSIGN_OR_RETURN(sandbox::Account account, sandbox::FindAccount(name));
  const auto denied = [&](const std::string& why) {
    return base::Error(base::Code::kPermissionDenied, "account '" + base::EscapeForTerminal(name) + "' " + why);
  };
  // Only the name "root" stands for uid 0; another name for it must not get the same.
  if (account.uid == 0 && name != "root") return denied("has uid 0");
  if (account.uid == policy.server_uid) return denied("is jobd-server's own");
  const bool in_group =
      policy.server_gid && (account.gid == *policy.server_gid ||
                            std::find(account.groups.begin(), account.groups.end(), *policy.server_gid) != account.groups.end());
  if (in_group && account.uid != 0)
    return denied("is in jobd-server's group: give jobd-server an account of its own ([server] user)");
  return account;
}

namespace {

std::set<std::string> NamesIn(const Policy& policy) {
  std::set<std::string> names;
  if (policy.job_user != "auto") names.insert(policy.job_user);
  for (const auto& [owner, rights] : policy.owners) names.insert(rights.run_as.begin(), rights.run_as.end());
  return names;
}

}  // namespace

std::set<uid_t> UidsInPolicy(const Policy& policy) {
  std::set<uid_t> uids;
  if (policy.server_uid) uids.insert(*policy.server_uid);
  for (const std::string& name : NamesIn(policy)) {
    if (const auto account = sandbox::FindAccount(name); account.ok()) uids.insert(account->uid);
  }
  return uids;
}

base::Status CheckJobAccounts(const Policy& policy) {
  if (!policy.privileged) return base::Ok();
  for (const std::string& name : NamesIn(policy)) {
    const auto account = FindJobAccount(policy, name);
    // One that is not there yet is refused when a job asks for it.
    if (!account.ok() && account.error().code() == base::Code::kPermissionDenied) return account.error();
  }
  return base::Ok();
}

}  // namespace jobd::launch
