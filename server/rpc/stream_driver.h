// Drives a call that lasts: makes a message, sends it, or waits until there is more; whatever transport sends it.
#pragma once

#include <memory>
#include <optional>

#include "base/guarded.h"
#include "server/rpc/call_context.h"
#include "server/rpc/handler.h"
#include "server/rpc/public_error.h"
#include "server/rpc/stream_registry.h"

namespace jobd::server {

// Two things go on at a time: one message is being made, and the one before it may be with the transport. So a slow client costs
// two messages at most. The state of the making, and what moves it on:
//
//   running   a thread of the pool makes a message        -> any other
//   ready     it is made; the one before is not taken yet -> running (OnSent)
//   waiting   armed: there is nothing to make one of      -> running, or due if one is with the transport (the wake-up)
//   due       to be made as soon as the one before is taken, so that it has all that comes by then  -> running (OnSent)
//   over      no other message is made
//
// One step runs at a time, so a source needs no lock. End takes effect at once when nothing is running or with the transport, else
// at the end of that. Wake-ups come on threads that must not wait and must not destroy what woke them, so they only post to the
// pool, and hold no reference.
//
// A transport derives from it, sends the two slots, and calls OnSent.
class StreamDriver : public LiveCall, public std::enable_shared_from_this<StreamDriver> {
 public:
  // The source makes its messages in `message`, which lives as long as `call`. `support` outlives the driver.
  StreamDriver(const CallSupport& support, std::shared_ptr<CallContext> call, std::unique_ptr<StreamSource> source,
               Message& message);

  // Once; from any thread.
  void Start();
  void Recheck() override;
  void End(const base::Error& error) override;
  void Abort() override;

 protected:
  // Brings a message into the form in which it is sent, in slot 0 or 1. On a thread of the pool, while the other slot may be on its
  // way. `message` may be emptied.
  virtual void PrepareMessage(size_t slot, Message& message) = 0;
  // Sends what was prepared in the slot; OnSent follows. At most one slot is being sent.
  virtual void SendMessage(size_t slot) = 0;
  // Once, and nothing follows. Nothing is being sent.
  virtual void FinishCall(const CallEnd& end) = 0;
  // Takes the call from the client without waiting for anything. May come while FinishCall does, and after it.
  virtual void CancelCall() = 0;

  // The message was taken, or the call is broken.
  void OnSent(bool ok);

  const CallContext& call() const { return *call_; }

 private:
  using Next = StreamSource::Next;
  enum class Making { kRunning, kReady, kWaiting, kDue, kOver };
  struct Progress {
    Making making = Making::kRunning;
    Next after_ready = Next::kSend;  // what the source said of the message that is ready
    size_t slot = 0;                 // where the next message is prepared; changes while nothing is being made
    bool sending = false;
    bool woken = false;
    bool finished = false;
    std::optional<PublicError> ended;  // asked for from outside
    std::optional<CallEnd> result;     // by the source

    // What to finish the call with if it is time to; then nothing follows.
    std::optional<CallEnd> TakeEnd();
    // The slot to send, which was just prepared.
    size_t TakeSlot();
  };

  void Run();
  // After a message was given to the transport, or without one. True: the next one is to be made at once, by the caller.
  bool GoOn(Next next);
  void OnWake();
  void PostRun();
  CallEnd EndOf(const base::Status& end) const;
  void FinishWith(const CallEnd& end);

  const CallSupport& support_;
  const std::shared_ptr<CallContext> call_;
  Message& message_;
  const std::unique_ptr<StreamSource> source_;
  StreamRegistry::Registration registration_;
  base::Guarded<Progress> progress_;
};

}  // namespace jobd::server
