// A lasting call that moves on by itself: produce, send, or wait until there is more.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include <grpcpp/support/status.h>

#include "server/api/api.h"
#include "server/auth/call_admission.h"
#include "server/rpc/stream_registry.h"

namespace jobd::server {

// Two things go on at a time: one message is being made, and the one before it may be with gRPC. So a slow client costs two
// messages at most. What is being made, and what moves it on:
//
//   running   on its way on a thread of the pool   -> any other
//   ready     made; the one before it is not taken yet   -> running (OnSent)
//   waiting   armed: there is nothing to make one of   -> running, or due if one is with gRPC (the wake-up)
//   due       to be made as soon as the one before it is taken, so that it has all that comes by then   -> running (OnSent)
//   over      there is no other one
//
// One step runs at a time, so what Produce uses needs no lock. End takes effect at once when nothing is running or with gRPC, else
// at the end of that. Wake-ups come on threads that must not wait and must not destroy what woke them, so they only post to the
// pool, and hold no reference.
class Pump : public LiveCall, public std::enable_shared_from_this<Pump> {
 public:
  Pump(const Backend& backend, Call call) : backend_(backend), call_(std::move(call)) {}

  // Once; from any thread.
  void Start();
  void Recheck() override;
  void End(const grpc::Status& status) override;
  void Abort() override;

 protected:
  enum class Next {
    kSend,         // and make the next one when this is taken
    kSendAndGoOn,  // and make the next one meanwhile: there is enough for it
    kSendAndArm,   // and make the next one when there is more, which the last look at the source did not see
    kWait,
    kEnd,
  };
  // Makes the next message, in `slot()`, or sets `end`, or says that there is nothing yet. May read files.
  virtual Next Produce(grpc::Status& end) = 0;
  // Has `wake` called once, from any thread, when Produce may have more.
  virtual void Arm(std::function<void()> wake) = 0;
  // Gives gRPC the message that was made in this slot.
  virtual void SendMessage(size_t slot) = 0;
  virtual void FinishCall(const grpc::Status& status) = 0;
  // Takes the call from the client without waiting for anything.
  virtual void CancelCall() = 0;

  // For the reactor: the message was taken, or the call is broken.
  void OnSent(bool ok);

  const Backend& backend() const { return backend_; }
  const Call& call() const { return call_; }
  // Where the next message is to be made, 0 or 1; the other one may be with gRPC. For Produce.
  size_t slot() const { return slot_; }
  // The call counts no more among its user's; just before its answer.
  void EndCount() { call_.token = {}; }

 private:
  enum class Making { kRunning, kReady, kWaiting, kDue, kOver };
  void Run();
  // After a message was given to gRPC, or without one. True: the next one is to be made at once, by the caller.
  bool GoOn(Next next);
  void OnWake();
  // Under the lock: the status to finish with if it is time to; then nothing follows.
  std::optional<grpc::Status> TakeEnd();
  void FinishWith(const grpc::Status& status);

  const Backend& backend_;
  Call call_;
  StreamRegistry::Registration registration_;
  size_t slot_ = 0;  // changes while nothing is being made
  std::mutex mutex_;
  Making making_ = Making::kRunning;
  Next after_ready_ = Next::kSend;  // what Produce said of the message that is ready
  bool sending_ = false;
  bool woken_ = false;
  bool finished_ = false;
  std::optional<grpc::Status> end_;     // asked for
  std::optional<grpc::Status> result_;  // by Produce
};

}  // namespace jobd::server
