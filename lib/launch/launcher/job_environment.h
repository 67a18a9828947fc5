// Who a job is to the programs it runs: the variables that people expect, and a home.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "launch/contract/launch_request.h"
#include "launch/launcher/policy.h"
#include "sandbox/rules/profile.h"

namespace jobd::launch {

struct Person {
  std::string name;
  std::string home;
  std::string shell;
};

// Puts before the variables of the request, which win, those of its profile, before these the policy's, and first of all HOME,
// USER, LOGNAME, SHELL and LANG. A PATH that is only the service's default gives way. Pure.
void CompleteEnvironment(const Policy& policy, const sandbox::Profile& profile, const Person& person, LaunchRequest& request);

// Homes for jobs that share the machine's file system and have no account: folders that are their uid's alone. Theirs stays what it
// was from one job to the next. Not thread-safe.
class Homes {
 public:
  // They are made in the first of these folders where that is possible.
  explicit Homes(std::vector<std::string> places) : places_(std::move(places)) {}

  // The folder of `uid`, made where it is missing; each time it is found to be a folder, the uid's, that nobody else can write to.
  // EEXIST when others have taken all the names it could have.
  base::Result<std::string> Of(uid_t uid);

 private:
  std::vector<std::string> places_;
  std::map<uid_t, std::string> known_;
};

}  // namespace jobd::launch
