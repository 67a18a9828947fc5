// Drives a dialogue: an answer to each message, in turn; whatever transport carries it.
#pragma once

#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/guarded.h"
#include "server/rpc/call_context.h"
#include "server/rpc/handler.h"
#include "server/rpc/public_error.h"
#include "server/rpc/stream_registry.h"

namespace jobd::server {

// The first message has so long to come, of a dialogue and of every call with one message: the headers alone hold a place.
inline constexpr base::Nanos kFirstMessageLimit = 60 * base::kNanosPerSecond;

// Where it is, and what moves it on:
//
//   listening  the next message is awaited from the client  -> answering (Heard)
//   answering  an answer is made or with the transport      -> listening (OnSent)
//   over       nothing follows
//
// End takes effect at once while listening, else when the client has taken the answer.
class DialogueDriver : public LiveCall, public std::enable_shared_from_this<DialogueDriver> {
 public:
  // `support` outlives it.
  DialogueDriver(const CallSupport& support, std::shared_ptr<CallContext> call, std::unique_ptr<Dialogue> dialogue);

  // Once, before the first message.
  void Start();
  void Recheck() override;
  void End(const base::Error& error) override;
  void Abort() override;

  // A message has come: admits the call anew, answers in `out`, which is empty, and sends it. After Heard, from the same thread.
  void Answer(const Message& in, Message& out);
  // Bytes have come from the client. False: the call is over, and they are to be dropped.
  bool Heard();
  // What has come is no message that can be answered.
  void Fail(const base::Error& error);
  // The client has said all that it will.
  void Close();

 protected:
  // Sends the message; OnSent follows.
  virtual void SendAnswer(Message& message) = 0;
  // Receives the next message: Heard and Answer follow, or Close.
  virtual void Receive() = 0;
  // Once, and nothing follows. Nothing is being sent.
  virtual void FinishCall(const CallEnd& end) = 0;
  // Takes the call from the client without waiting for anything.
  virtual void CancelCall() = 0;

 public:
  // The answer was taken, or the call is broken.
  void OnSent(bool ok);

 private:
  enum class Phase { kListening, kAnswering, kOver };
  struct Progress {
    Phase phase = Phase::kListening;
    bool spoken = false;
    std::optional<PublicError> ended;  // asked for meanwhile
  };
  void FinishWith(const CallEnd& end);

  const CallSupport& support_;
  const std::shared_ptr<CallContext> call_;
  const std::unique_ptr<Dialogue> dialogue_;
  const base::Nanos started_;
  StreamRegistry::Registration registration_;
  base::Guarded<Progress> progress_;
};

}  // namespace jobd::server
