#include "server/rpc/dialogue_driver.h"

#include <utility>

namespace jobd::server {

DialogueDriver::DialogueDriver(const CallSupport& support, std::shared_ptr<CallContext> call, std::unique_ptr<Dialogue> dialogue)
    : support_(support), call_(std::move(call)), dialogue_(std::move(dialogue)), started_(support.clock.Monotonic()) {}

void DialogueDriver::Start() {
  registration_ = support_.streams.Add(shared_from_this());
  Receive();
}

void DialogueDriver::Recheck() {
  const base::Status admitted = call_->StillAdmitted(support_);
  if (!admitted.ok()) return End(admitted.error());
  const bool silent = !progress_.Lock()->spoken;
  if (silent && support_.clock.Monotonic() - started_ > kFirstMessageLimit) {
    End(base::Error(base::Code::kDeadlineExceeded, "nothing was received for a minute"));
  }
}

void DialogueDriver::End(const base::Error& error) {
  {
    const auto progress = progress_.Lock();
    if (progress->phase == Phase::kOver || progress->ended) return;
    if (progress->phase == Phase::kAnswering) {
      progress->ended = ToPublic(error);
      return;
    }
    progress->phase = Phase::kOver;
  }
  FinishWith(ToPublic(error));
}

void DialogueDriver::Abort() {
  {
    const auto progress = progress_.Lock();
    if (progress->phase != Phase::kAnswering || !progress->ended) return;
  }
  CancelCall();
}

bool DialogueDriver::Heard() {
  const auto progress = progress_.Lock();
  if (progress->phase != Phase::kListening) return false;
  progress->phase = Phase::kAnswering;
  progress->spoken = true;
  return true;
}

void DialogueDriver::Answer(const Message& in, Message& out) {
  // Since the last message the certificate may have been revoked.
  if (const base::Status admitted = call_->AdmitAgain(support_); !admitted.ok()) {
    progress_.Lock()->phase = Phase::kOver;
    return FinishWith(ToPublic(admitted.error()));
  }
  if (const base::Status answered = dialogue_->Answer(in, out); !answered.ok()) return Fail(answered.error());
  SendAnswer(out);
}

void DialogueDriver::Fail(const base::Error& error) {
  PublicError shown = support_.errors.Report(error, call_->path(), call_->about());
  progress_.Lock()->phase = Phase::kOver;
  FinishWith(shown);
}

void DialogueDriver::Close() {
  {
    const auto progress = progress_.Lock();
    if (progress->phase != Phase::kListening) return;
    progress->phase = Phase::kOver;
  }
  FinishWith(std::nullopt);
}

void DialogueDriver::OnSent(bool ok) {
  std::optional<PublicError> ended;
  {
    const auto progress = progress_.Lock();
    if (progress->phase != Phase::kAnswering) return;
    if (!ok && !progress->ended) progress->ended = ToPublic(base::Error(base::Code::kCancelled, "the client is gone"));
    progress->phase = progress->ended ? Phase::kOver : Phase::kListening;
    ended = std::move(progress->ended);
  }
  if (ended) return FinishWith(ended);
  Receive();
}

void DialogueDriver::FinishWith(const CallEnd& end) {
  LogEnd(support_.log, *call_, end ? base::CodeName(end->code) : "OK");
  call_->ReleaseQuota();
  FinishCall(end);
}

}  // namespace jobd::server
