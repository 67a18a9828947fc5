#include "server/grpc/grpc_tuning.h"

#include <absl/synchronization/mutex.h>

namespace jobd::server {

void TuneGrpc() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace jobd::server
