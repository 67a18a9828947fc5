#include "server/rpc/stream_driver.h"

#include "server/grpc/grpc_status.h"
#include "server/rpc/task_pool.h"

namespace jobd::server {

void Pump::Start() {
  registration_ = backend_.streams.Add(shared_from_this());
  backend_.tasks.Post([self = shared_from_this()] { self->Run(); });
}

void Pump::Recheck() {
  const base::Status admitted = backend_.admission.StillAdmitted(call_);
  if (!admitted.ok()) End(ToGrpcStatus(admitted.error()));
}

std::optional<grpc::Status> Pump::TakeEnd() {
  if (finished_ || sending_ || (!end_ && !result_)) return std::nullopt;
  finished_ = true;
  return end_ ? end_ : result_;
}

void Pump::Run() {
  const auto keep = shared_from_this();
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (end_ || result_) {
        making_ = Making::kOver;
        const auto end = TakeEnd();
        lock.unlock();
        if (end) FinishWith(*end);
        return;
      }
      woken_ = false;
    }
    grpc::Status end;
    const Next next = Produce(end);
    size_t made = 0;
    {
      const std::lock_guard lock(mutex_);
      if (next == Next::kEnd) result_ = end;
      if (end_ || result_) continue;
      if (next != Next::kWait) {
        if (sending_) {
          making_ = Making::kReady;
          after_ready_ = next;
          return;
        }
        sending_ = true;
        made = slot_;
        slot_ ^= 1;
      }
    }
    if (next != Next::kWait) SendMessage(made);
    if (!GoOn(next)) return;
  }
}

bool Pump::GoOn(Next next) {
  if (next == Next::kSendAndGoOn) return true;
  if (next != Next::kSend) {
    Arm([weak = weak_from_this(), &tasks = backend_.tasks] {
      tasks.Post([weak] {
        if (const auto self = weak.lock()) self->OnWake();
      });
    });
  }
  const std::lock_guard lock(mutex_);
  if (next != Next::kSend && !woken_ && !end_) {
    making_ = Making::kWaiting;
    return false;
  }
  if (!sending_) return true;
  making_ = Making::kDue;
  return false;
}

void Pump::OnWake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    if (finished_ || making_ != Making::kWaiting) return;
    making_ = sending_ ? Making::kDue : Making::kRunning;
    if (sending_) return;
  }
  Run();
}

// This is gRPC's thread, and making a message reads files: that is the pool's.
void Pump::OnSent(bool ok) {
  const auto keep = shared_from_this();
  std::unique_lock lock(mutex_);
  sending_ = false;
  if (!ok && !end_) end_ = grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone");
  if (making_ == Making::kRunning) return;  // sees it
  if (const auto end = TakeEnd()) {
    lock.unlock();
    return FinishWith(*end);
  }
  const auto run = [&] { backend_.tasks.Post([keep] { keep->Run(); }); };
  if (making_ == Making::kDue) {
    making_ = Making::kRunning;
    run();
  } else if (making_ == Making::kReady) {
    making_ = Making::kRunning;
    sending_ = true;
    const size_t made = slot_;
    slot_ ^= 1;
    const Next next = after_ready_;
    lock.unlock();
    // In this order: the next one is made while this thread encrypts this one.
    if (next == Next::kSendAndGoOn) run();
    SendMessage(made);
    if (next != Next::kSendAndGoOn && GoOn(next)) run();
  }
}

void Pump::End(const grpc::Status& status) {
  std::optional<grpc::Status> end;
  {
    const std::lock_guard lock(mutex_);
    if (finished_ || end_) return;
    end_ = status;
    if (making_ == Making::kRunning) return;
    end = TakeEnd();
  }
  if (end) FinishWith(*end);
}

void Pump::Abort() {
  {
    const std::lock_guard lock(mutex_);
    if (!end_ || finished_) return;
  }
  CancelCall();
}

void Pump::FinishWith(const grpc::Status& status) {
  LogEnd(backend_.log, call_, "ended, code " + std::to_string(status.error_code()));
  EndCount();
  FinishCall(status);
}

}  // namespace jobd::server
