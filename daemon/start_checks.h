// All that has to be right before jobd starts, beside the files themselves (OpenConfiguration): one list, which a start goes
// through before it changes anything, and `jobd --check-config` too.
#pragma once

#include <vector>

#include "base/result.h"
#include "daemon/configuration.h"
#include "daemon/options.h"
#include "daemon/service_dirs.h"

namespace jobd::daemon {

struct StartContext {
  const Options& options;
  const Configuration& configuration;
  const ServerAccount& account;
};

struct StartCheck {
  const char* name;
  // Changes nothing that lasts. The error is one line that says what is wrong and where.
  base::Status (*run)(const StartContext& context);
};

// In the order in which they are made; the address last, so that another error is said first.
const std::vector<StartCheck>& StartChecks();

// Makes all of them: the first error.
base::Status RunStartChecks(const StartContext& context);

}  // namespace jobd::daemon
