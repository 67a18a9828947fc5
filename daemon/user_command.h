// `jobd user …`: the users file by command, without a service. What root on the machine can always do.
#pragma once

#include "daemon/options.h"

namespace jobd::daemon {

// Does options.user. To be called with signals as they come, since it may ask on a terminal. The answer is the exit status.
int RunUserCommand(const Options& options);

}  // namespace jobd::daemon
