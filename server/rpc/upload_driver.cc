#include "server/rpc/upload_driver.h"

#include <string>
#include <utility>

namespace jobd::server {

UploadDriver::UploadDriver(const CallSupport& support, std::shared_ptr<CallContext> call, std::unique_ptr<UploadSink> sink)
    : support_(support), call_(std::move(call)), sink_(std::move(sink)), started_(support.clock.Monotonic()) {
  progress_.Lock()->last_received = started_;
}

void UploadDriver::Start() { registration_ = support_.streams.Add(shared_from_this()); }

void UploadDriver::Recheck() {
  const base::Status admitted = call_->StillAdmitted(support_);
  if (!admitted.ok()) return End(admitted.error());
  const base::Nanos now = support_.clock.Monotonic();
  const base::Nanos last_received = progress_.Lock()->last_received;
  if (now - last_received > kUploadIdleLimit) {
    return End(base::Error(base::Code::kDeadlineExceeded, "nothing was received for a minute"));
  }
  if (now - started_ > kUploadLimit) {
    End(base::Error(base::Code::kDeadlineExceeded, "the submission was not whole after ten minutes"));
  }
}

void UploadDriver::End(const base::Error& error) { EndWith(ToPublic(error)); }

void UploadDriver::Fail(const base::Error& error) { EndWith(support_.errors.Report(error, call_->path(), call_->about())); }

void UploadDriver::EndWith(const PublicError& error) {
  {
    const auto progress = progress_.Lock();
    if (progress->phase != Phase::kReceiving) return;
    progress->phase = Phase::kOver;
  }
  FinishWith(error);
}

void UploadDriver::FinishWith(const PublicError& error) {
  LogEnd(support_.log, *call_, base::CodeName(error.code));
  call_->ReleaseQuota();
  FinishCall(error);
}

bool UploadDriver::Take(Message& message) {
  {
    const auto progress = progress_.Lock();
    if (progress->phase != Phase::kReceiving) return false;
    progress->last_received = support_.clock.Monotonic();
  }
  const base::Status taken = sink_->Take(message);
  if (!taken.ok()) Fail(taken.error());
  return taken.ok();
}

void UploadDriver::Submit(Message& out, std::shared_ptr<Answerable> call) {
  {
    const auto progress = progress_.Lock();
    if (progress->phase != Phase::kReceiving) return;
    progress->phase = Phase::kSubmitted;
  }
  // Since the first message the certificate may have been revoked, or what the user may do have been changed.
  if (const base::Status admitted = call_->AdmitAgain(support_); !admitted.ok()) return FinishWith(ToPublic(admitted.error()));
  // Made only here: a reply that nobody uses answers by itself.
  sink_->Submit(out, Reply(std::move(call)));
}

}  // namespace jobd::server
