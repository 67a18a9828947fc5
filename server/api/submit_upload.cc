#include "server/api/submit_stream.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>

#include "base/clock.h"
#include "jobd/v1/job_schedule_service.pb.h"
#include "server/api/convert_reply.h"
#include "server/api/convert.h"
#include "server/auth/call_admission.h"
#include "server/auth/call_limits.h"
#include "server/auth/submitter.h"
#include "server/grpc/grpc_status.h"
#include "server/grpc/malformed.h"
#include "server/rpc/stream_registry.h"
#include "worker/worker.h"

namespace jobd::server {
namespace {

constexpr std::string_view kMethod = "/jobd.v1.JobScheduleService/SubmitBatch";
constexpr base::Nanos kIdleLimit = 60 * base::kNanosPerSecond;
// What a job costs in memory beyond its bytes: a message of empty jobs must not be free.
constexpr uint64_t kJobOverhead = sizeof(worker::JobSpec);

class SubmitStream final : public LiveCall,
                           public grpc::ServerReadReactor<grpc::ByteBuffer>,
                           public std::enable_shared_from_this<SubmitStream> {
 public:
  SubmitStream(const Backend& backend, Call call, grpc::CallbackServerContext* context, grpc::ByteBuffer* response)
      : backend_(backend), call_(std::move(call)), context_(context), response_(response) {}
  ~SubmitStream() override { backend_.uploads.Return(taken_); }

  // Keeps itself until gRPC is done with it.
  void Start() {
    self_ = shared_from_this();
    registration_ = backend_.streams.Add(self_);
    StartRead(&bytes_);
  }

  void Recheck() override {
    const base::Status admitted = backend_.admission.StillAdmitted(call_);
    if (!admitted.ok()) return End(ToGrpcStatus(admitted.error()));
    bool idle = false;
    {
      const std::lock_guard lock(mutex_);
      idle = !submitted_ && clock_.Monotonic() - last_read_ > kIdleLimit;
    }
    if (idle) End({grpc::StatusCode::DEADLINE_EXCEEDED, "nothing was received for a minute"});
  }
  // What was handed to the worker gets the worker's answer.
  void End(const grpc::Status& status) override {
    {
      const std::lock_guard lock(mutex_);
      if (finished_ || submitted_) return;
      finished_ = true;
    }
    Finish(status);
  }
  void Abort() override {}  // End never waits for the client

 private:
  void OnReadDone(bool ok) override {
    {
      const std::lock_guard lock(mutex_);
      if (finished_) return;
      last_read_ = clock_.Monotonic();
    }
    // The end of the client's stream and the loss of the client look the same to a reader. Headers can be sent only in the first
    // case: a batch that was cut off is never taken for a whole one.
    if (!ok) return StartSendInitialMetadata();
    const base::Status gathered = Gather();
    if (!gathered.ok()) return End(backend_.errors.Report(gathered.error(), kMethod));
    StartRead(&bytes_);
  }

  base::Status Gather() {
    if (!grpc::SerializationTraits<jobd::v1::SubmitBatchRequest>::Deserialize(&bytes_, &message_).ok()) {
      return base::Error(base::Code::kInvalidArgument, std::string(kMalformedRequest));
    }
    const auto count = static_cast<size_t>(message_.jobs_size());
    if (jobs_.size() + count > backend_.max_batch_jobs.load(std::memory_order_relaxed)) {
      return base::Error(base::Code::kResourceExhausted, "the batch has more jobs than the service takes");
    }
    const uint64_t bytes = message_.ByteSizeLong() + count * kJobOverhead;
    if (taken_ + bytes > kMaxBatchBytes) return base::Error(base::Code::kResourceExhausted, "the batch is larger than 256 MiB");
    JOBD_RETURN_IF_ERROR(backend_.uploads.Take(bytes));
    taken_ += bytes;
    FieldCheck check;
    if (message_.has_options()) {
      check.Require(first_, "options", "are for the first message only");
      options_ = BatchOptionsOf(message_.options(), check);
    }
    first_ = false;
    for (const auto& job : message_.jobs()) jobs_.push_back(JobSpecOf(job, "jobs[" + std::to_string(jobs_.size()) + "]", check));
    return check.Result();
  }

  void OnSendInitialMetadataDone(bool ok) override {
    if (!ok || context_->IsCancelled()) return End({grpc::StatusCode::CANCELLED, "the client is gone"});
    // Since the first message the certificate may have been revoked.
    const base::Status admitted = backend_.admission.StillAdmitted(call_);
    if (!admitted.ok()) return End(ToGrpcStatus(admitted.error()));
    if (jobs_.empty()) {
      FieldCheck check;
      check.Require(false, "jobs", "are none");
      return End(ToGrpcStatus(check.Result().error()));
    }
    {
      const std::lock_guard lock(mutex_);
      if (finished_) return;
      submitted_ = true;
    }
    backend_.worker.Submit(SubmitterOf(call_.caller), std::move(options_), std::move(jobs_),
                           [this](base::Result<worker::Receipt> receipt) { OnAnswer(receipt); });
  }

  void OnAnswer(const base::Result<worker::Receipt>& receipt) {
    call_.token = {};
    if (!receipt.ok()) return Finish(backend_.errors.Report(receipt.error(), kMethod));
    if (!receipt->replayed) {
      LogAccepted(backend_.log, call_.caller.name(), *receipt);
    }
    jobd::v1::SubmitBatchResponse answer;
    answer.set_correlation_id(receipt->correlation_id);
    answer.set_job_count(receipt->job_count);
    SetTime(receipt->created_at, answer.mutable_created_at());
    answer.set_replayed(receipt->replayed);
    bool own_buffer = false;
    Finish(grpc::SerializationTraits<jobd::v1::SubmitBatchResponse>::Serialize(answer, response_, &own_buffer));
  }

  void OnCancel() override { End({grpc::StatusCode::CANCELLED, "the client is gone"}); }
  void OnDone() override { const auto last = std::move(self_); }

  const Backend& backend_;
  Call call_;
  grpc::CallbackServerContext* const context_;
  grpc::ByteBuffer* const response_;
  const base::SystemClock clock_;
  StreamRegistry::Registration registration_;
  // Of gRPC's reading thread alone.
  grpc::ByteBuffer bytes_;
  jobd::v1::SubmitBatchRequest message_;
  worker::BatchOptions options_;
  std::vector<worker::JobSpec> jobs_;
  bool first_ = true;
  uint64_t taken_ = 0;
  std::mutex mutex_;
  bool finished_ = false;   // Finish was called, or will not be by anyone else
  bool submitted_ = false;  // the worker's answer finishes the call
  base::Nanos last_read_ = clock_.Monotonic();
  std::shared_ptr<SubmitStream> self_;
};

class RefusedSubmit final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedSubmit(const grpc::Status& status) { Finish(status); }

 private:
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerReadReactor<grpc::ByteBuffer>* StartSubmitStream(const Backend& backend, grpc::CallbackServerContext* context,
                                                             grpc::ByteBuffer* response) {
  auto call = backend.admission.Admit(*context, kMethod);
  if (!call.ok()) return new RefusedSubmit(backend.errors.Report(call.error(), kMethod));
  auto stream = std::make_shared<SubmitStream>(backend, *std::move(call), context, response);
  stream->Start();
  return stream.get();
}

}  // namespace jobd::server
