#include "server/rpc/stream_driver.h"

#include <string>
#include <utility>

#include "server/rpc/task_pool.h"

namespace jobd::server {

StreamDriver::StreamDriver(const CallSupport& support, std::shared_ptr<CallContext> call, std::unique_ptr<StreamSource> source,
                           Message& message)
    : support_(support), call_(std::move(call)), message_(message), source_(std::move(source)) {}

void StreamDriver::Start() {
  registration_ = support_.streams.Add(shared_from_this());
  PostRun();
}

void StreamDriver::PostRun() {
  support_.tasks.Post([self = shared_from_this()] { self->Run(); });
}

void StreamDriver::Recheck() {
  const base::Status admitted = call_->StillAdmitted(support_);
  if (!admitted.ok()) End(admitted.error());
}

std::optional<CallEnd> StreamDriver::Progress::TakeEnd() {
  if (finished || sending || (!ended && !result)) return std::nullopt;
  finished = true;
  return ended ? CallEnd(ended) : *result;
}

size_t StreamDriver::Progress::TakeSlot() {
  sending = true;
  return std::exchange(slot, slot ^ 1);
}

CallEnd StreamDriver::EndOf(const base::Status& end) const {
  if (end.ok()) return std::nullopt;
  return support_.errors.Report(end.error(), call_->path(), call_->about());
}

void StreamDriver::Run() {
  const auto keep = shared_from_this();
  for (;;) {
    size_t slot = 0;
    std::optional<CallEnd> end;
    bool over = false;
    {
      const auto progress = progress_.Lock();
      if (progress->ended || progress->result) {
        over = true;
        progress->making = Making::kOver;
        end = progress->TakeEnd();
      }
      progress->woken = false;
      slot = progress->slot;
    }
    if (over) {
      if (end) FinishWith(*end);
      return;
    }
    base::Status source_end;
    const Next next = source_->Produce(message_, source_end);
    if (next != Next::kWait && next != Next::kEnd) PrepareMessage(slot, message_);
    std::optional<CallEnd> result;
    if (next == Next::kEnd) result = EndOf(source_end);
    {
      const auto progress = progress_.Lock();
      if (result) progress->result = std::move(result);
      if (progress->ended || progress->result) continue;
      if (next != Next::kWait) {
        if (progress->sending) {
          progress->making = Making::kReady;
          progress->after_ready = next;
          return;
        }
        progress->TakeSlot();
      }
    }
    if (next != Next::kWait) SendMessage(slot);
    if (!GoOn(next)) return;
  }
}

bool StreamDriver::GoOn(Next next) {
  if (next == Next::kSendAndGoOn) return true;
  if (next != Next::kSend) {
    source_->Arm([weak = weak_from_this(), &tasks = support_.tasks] {
      tasks.Post([weak] {
        if (const auto self = weak.lock()) self->OnWake();
      });
    });
  }
  const auto progress = progress_.Lock();
  if (next != Next::kSend && !progress->woken && !progress->ended) {
    progress->making = Making::kWaiting;
    return false;
  }
  if (!progress->sending) return true;
  progress->making = Making::kDue;
  return false;
}

void StreamDriver::OnWake() {
  {
    const auto progress = progress_.Lock();
    progress->woken = true;
    if (progress->finished || progress->making != Making::kWaiting) return;
    progress->making = progress->sending ? Making::kDue : Making::kRunning;
    if (progress->sending) return;
  }
  Run();
}

// Comes on a thread of the transport. Making a message reads files, which is for the pool.
void StreamDriver::OnSent(bool ok) {
  const auto keep = shared_from_this();
  std::optional<CallEnd> end;
  size_t slot = 0;
  bool was_ready = false;
  Next next = Next::kSend;
  {
    const auto progress = progress_.Lock();
    progress->sending = false;
    if (!ok && !progress->ended) progress->ended = ToPublic(base::Error(base::Code::kCancelled, "the client is gone"));
    if (progress->making == Making::kRunning) return;  // Run looks at it
    end = progress->TakeEnd();
    if (!end) {
      if (progress->making != Making::kDue && progress->making != Making::kReady) return;
      was_ready = progress->making == Making::kReady;
      progress->making = Making::kRunning;
      next = progress->after_ready;
      if (was_ready) slot = progress->TakeSlot();
    }
  }
  if (end) return FinishWith(*end);
  if (!was_ready) return PostRun();
  // In this order: the pool makes the next one while this thread encrypts this one.
  if (next == Next::kSendAndGoOn) PostRun();
  SendMessage(slot);
  if (next != Next::kSendAndGoOn && GoOn(next)) PostRun();
}

void StreamDriver::End(const base::Error& error) {
  std::optional<CallEnd> end;
  {
    const auto progress = progress_.Lock();
    if (progress->finished || progress->ended) return;
    progress->ended = ToPublic(error);
    if (progress->making == Making::kRunning) return;
    end = progress->TakeEnd();
  }
  if (end) FinishWith(*end);
}

void StreamDriver::Abort() {
  {
    const auto progress = progress_.Lock();
    if (!progress->ended || progress->finished) return;
  }
  CancelCall();
}

void StreamDriver::FinishWith(const CallEnd& end) {
  LogEnd(support_.log, *call_, end ? base::CodeName(end->code) : "OK");
  call_->ReleaseQuota();
  FinishCall(end);
}

}  // namespace jobd::server
