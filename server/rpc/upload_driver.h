// Drives an upload: hands its messages to the sink, and makes it take effect when it is whole; whatever transport brings it.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/guarded.h"
#include "server/rpc/call_context.h"
#include "server/rpc/handler.h"
#include "server/rpc/public_error.h"
#include "server/rpc/stream_registry.h"

namespace jobd::server {

// An upload holds memory until it is whole, so it is bounded in time: a minute without a message, ten minutes for all of it.
inline constexpr base::Nanos kUploadIdleLimit = 60 * base::kNanosPerSecond;
inline constexpr base::Nanos kUploadLimit = 600 * base::kNanosPerSecond;

// Nothing takes effect before Submit, which only a transport calls that knows the upload to be whole: an upload that was cut off is
// never taken for a whole one. From then on the sink's reply ends the call, unless its caller has no right any more.
class UploadDriver : public LiveCall, public std::enable_shared_from_this<UploadDriver> {
 public:
  // `support` outlives it.
  UploadDriver(const CallSupport& support, std::shared_ptr<CallContext> call, std::unique_ptr<UploadSink> sink);

  // Once, before the first message.
  void Start();
  void Recheck() override;
  void End(const base::Error& error) override;
  void Abort() override {}  // End never waits for the client

  // Takes the next message; from one thread at a time. False: the call is over or has been ended by this, and what else comes is to
  // be dropped.
  bool Take(Message& message);
  // What has come is no message that can be taken.
  void Fail(const base::Error& error);
  // The client has ended its upload and is still there. `out` is the answer, and `call` is answered by the sink; but not when the
  // upload has been ended or is ended by this: then FinishCall answers.
  void Submit(Message& out, std::shared_ptr<Answerable> call);

 protected:
  // The call ends without having been submitted. Once, and nothing follows.
  virtual void FinishCall(const CallEnd& end) = 0;

 private:
  enum class Phase { kReceiving, kSubmitted, kOver };
  struct Progress {
    Phase phase = Phase::kReceiving;
    base::Nanos last_received = 0;
  };
  void EndWith(const PublicError& error);
  void FinishWith(const PublicError& error);

  const CallSupport& support_;
  const std::shared_ptr<CallContext> call_;
  const std::unique_ptr<UploadSink> sink_;
  const base::Nanos started_;
  StreamRegistry::Registration registration_;
  base::Guarded<Progress> progress_;
};

}  // namespace jobd::server
