// A lasting call that moves on by itself: produce, send, or wait until there is more.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include <grpcpp/support/status.h>

#include "server/admission.h"
#include "server/backend.h"
#include "server/stream_registry.h"

namespace jobd::server {

// The states of a pump, and what moves it on. One step runs at a time, so what Produce uses needs no lock.
//
//   running   a step is on its way on a thread of the pool   -> sending, waiting, finished
//   sending   a message is with gRPC; one at a time, so that a slow client costs one message   -> running (OnSent), finished
//   waiting   armed   -> running (the wake-up), finished (End)
//   finished  the status is with gRPC; nothing follows
//
// End takes effect at once when waiting, else at the end of the step or of the send. Wake-ups come on threads that must not wait
// and must not destroy what woke them, so they only post to the pool, and hold no reference.
class Pump : public LiveCall, public std::enable_shared_from_this<Pump> {
 public:
  Pump(const Backend& backend, Call call) : backend_(backend), call_(std::move(call)) {}

  // Once; from any thread.
  void Start();
  void Recheck() override;
  void End(const grpc::Status& status) override;
  void Abort() override;

 protected:
  enum class Next { kSend, kWait, kEnd };
  // Makes the next message, or sets `end`, or says that there is nothing yet. May read files.
  virtual Next Produce(grpc::Status& end) = 0;
  // Has `wake` called once, from any thread, when Produce may have more.
  virtual void Arm(std::function<void()> wake) = 0;
  virtual void SendMessage() = 0;
  virtual void FinishCall(const grpc::Status& status) = 0;
  // Takes the call from the client without waiting for anything.
  virtual void CancelCall() = 0;

  // For the reactor: the message was taken, or the call is broken.
  void OnSent(bool ok);

  const Backend& backend() const { return backend_; }
  const Call& call() const { return call_; }
  // The call counts no more among its user's; just before its answer.
  void EndCount() { call_.token = {}; }

 private:
  enum class State { kRunning, kSending, kWaiting, kFinished };
  void Run();
  void OnWake();
  void FinishWith(const grpc::Status& status);

  const Backend& backend_;
  Call call_;
  StreamRegistry::Registration registration_;
  std::mutex mutex_;
  State state_ = State::kRunning;
  bool woken_ = false;
  std::optional<grpc::Status> end_;
};

}  // namespace jobd::server
