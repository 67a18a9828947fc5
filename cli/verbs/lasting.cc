#include "cli/verbs/lasting.h"

#include <unistd.h>

#include <csignal>

#include "cli/connect/session.h"
#include "cli/view/exit_code.h"

namespace jobd::cli {

base::Result<std::unique_ptr<Lasting>> Lasting::Begin(Session& session, Reader reader) {
  std::unique_ptr<Lasting> lasting(new Lasting());
  Lasting* const self = lasting.get();
  HangUp hang_up;
  if (reader == Reader::kNeeded) {
    hang_up = {.fd = session.out().fd(), .on_hang_up = [&session, self] {
                 session.out().ReaderGone();
                 self->canceller_.Cancel();
               }};
  }
  const auto on_signal = [self](int) {
    // Without a stream there is nothing to end in order, and a call may wait for a jobd that does not answer.
    if (!self->streaming_) ::_exit(kExitInterrupted);
    self->canceller_.Cancel();
  };
  JOBD_ASSIGN_OR_RETURN(lasting->signals_, SignalThread::Create({SIGINT}, on_signal, std::move(hang_up)));
  JOBD_ASSIGN_OR_RETURN(lasting->client_, session.Connect());
  return lasting;
}

}  // namespace jobd::cli
