#include "server/pump.h"

#include "server/grpc_status.h"
#include "server/task_pool.h"

namespace jobd::server {

void Pump::Start() {
  registration_ = backend_.streams.Add(shared_from_this());
  backend_.tasks.Post([self = shared_from_this()] { self->Run(); });
}

void Pump::Recheck() {
  const base::Status admitted = backend_.admission.StillAdmitted(call_);
  if (!admitted.ok()) End(ToGrpcStatus(admitted.error()));
}

void Pump::Run() {
  const auto keep = shared_from_this();
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (end_) {
        state_ = State::kFinished;
        lock.unlock();
        return FinishWith(*end_);
      }
      woken_ = false;
    }
    grpc::Status end;
    switch (Produce(end)) {
      case Next::kSend: {
        {
          const std::lock_guard lock(mutex_);
          state_ = State::kSending;
        }
        return SendMessage();
      }
      case Next::kEnd: {
        {
          const std::lock_guard lock(mutex_);
          state_ = State::kFinished;
        }
        return FinishWith(end);
      }
      case Next::kWait: {
        Arm([weak = weak_from_this(), &tasks = backend_.tasks] {
          tasks.Post([weak] {
            if (const auto self = weak.lock()) self->OnWake();
          });
        });
        const std::lock_guard lock(mutex_);
        if (woken_ || end_) continue;
        state_ = State::kWaiting;
        return;
      }
    }
  }
}

void Pump::OnWake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    if (state_ != State::kWaiting) return;
    state_ = State::kRunning;
  }
  Run();
}

void Pump::OnSent(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    if (!ok && !end_) end_ = grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone");
    state_ = State::kRunning;
  }
  // Not here: this is gRPC's thread, and the next step reads files.
  backend_.tasks.Post([self = shared_from_this()] { self->Run(); });
}

void Pump::End(const grpc::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kFinished || end_) return;
    end_ = status;
    if (state_ != State::kWaiting) return;
    state_ = State::kFinished;
  }
  FinishWith(status);
}

void Pump::Abort() {
  {
    const std::lock_guard lock(mutex_);
    if (!end_ || state_ == State::kFinished) return;
  }
  CancelCall();
}

void Pump::FinishWith(const grpc::Status& status) {
  LogEnd(backend_.log, call_, "ended, code " + std::to_string(status.error_code()));
  EndCount();
  FinishCall(status);
}

}  // namespace jobd::server
