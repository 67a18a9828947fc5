// gRPC's threads for callbacks, asleep while there is nothing to call.
//
// Where gRPC 1.51 has no poller of its own, as on Linux, each of these threads (src/cpp/common/completion_queue_cc.cc) waits for an
// event for one second and, when there was none, sleeps for a tenth of one before it waits again. That is four wake-ups a second of
// an idle service; and an event that comes while all of them sleep is late by up to 100 ms. There is no setting for it. So this
// program's calls of the public grpc_completion_queue_next come here (ld --wrap), and a wait for a second becomes a wait without
// end; what ends it is an event, and at shutdown that of the queue. All other waits are left as they are: that
// of a shutdown for its calls lasts three seconds.
#include <grpc/grpc.h>
#include <grpc/support/time.h>

// Names that the linker prescribes. NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" grpc_event __real_grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved);

extern "C" grpc_event __wrap_grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  const gpr_timespec left = gpr_time_sub(gpr_convert_clock_type(deadline, GPR_CLOCK_REALTIME), gpr_now(GPR_CLOCK_REALTIME));
  const gpr_timespec least = gpr_time_from_millis(900, GPR_TIMESPAN);
  const gpr_timespec second = gpr_time_from_millis(1000, GPR_TIMESPAN);
  if (gpr_time_cmp(left, least) > 0 && gpr_time_cmp(left, second) <= 0) deadline = gpr_inf_future(GPR_CLOCK_REALTIME);
  return __real_grpc_completion_queue_next(queue, deadline, reserved);
}
// NOLINTEND(bugprone-reserved-identifier)
