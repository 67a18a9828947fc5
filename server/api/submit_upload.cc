// SubmitBatch: gathers a batch, and submits it when it is whole.
#include <spdlog/spdlog.h>

#include <atomic>

#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/submitter.h"
#include "server/auth/call_limits.h"
#include "worker/worker.h"

namespace jobd::server::handlers {
namespace {

// What the jobs of a message cost in memory beyond their bytes: an empty job or argument is two bytes on the wire, and many more
// here.
uint64_t OverheadOf(const v1::SubmitBatchRequest& message) {
  using Argument = decltype(worker::JobSpec::argv)::value_type;
  using Variable = decltype(worker::JobSpec::env)::value_type;
  uint64_t overhead = 0;
  for (const auto& job : message.jobs()) {
    overhead += sizeof(worker::JobSpec) + static_cast<uint64_t>(job.argv_size()) * sizeof(Argument) +
                static_cast<uint64_t>(job.env_size()) * (sizeof(Variable) + sizeof(std::string));
  }
  return overhead;
}

class SubmitUpload final : public SinkOf<v1::SubmitBatchRequest, v1::SubmitBatchResponse> {
 public:
  SubmitUpload(const Api& api, CallContext& call) : api_(api), call_(call), share_(api.uploads, call.caller().name()) {}

 private:
  base::Status TakeTyped(v1::SubmitBatchRequest& message) override {
    const auto count = static_cast<size_t>(message.jobs_size());
    if (jobs_.size() + count > api_.max_batch_jobs.load(std::memory_order_relaxed)) {
      return base::Error(base::Code::kResourceExhausted,
                         "the batch has more jobs than the service takes: " + std::to_string(api_.max_batch_jobs.load()));
    }
    const uint64_t bytes = message.ByteSizeLong() + OverheadOf(message);
    if (share_.bytes() + bytes > kMaxBatchBytes) {
      return base::Error(base::Code::kResourceExhausted, "the batch is larger than 256 MiB");
    }
    JOBD_RETURN_IF_ERROR(share_.Take(bytes));
    FieldCheck check;
    if (message.has_options()) {
      check.Require(first_, "options", "are for the first message only");
      options_ = BatchOptionsOf(message.options(), check);
    }
    first_ = false;
    for (const auto& job : message.jobs()) jobs_.push_back(JobSpecOf(job, "jobs[" + std::to_string(jobs_.size()) + "]", check));
    return check.Result();
  }

  void SubmitTyped(v1::SubmitBatchResponse& out, Reply reply) override {
    if (jobs_.empty()) {
      FieldCheck check;
      check.Require(false, "jobs", "are none");
      return reply.Fail(check.Result().error());
    }
    api_.worker.Submit(SubmitterOf(call_.caller()), std::move(options_), std::move(jobs_),
                       [&api = api_, &call = call_, &out, reply](base::Result<worker::Receipt> receipt) {
                         if (!receipt.ok()) return reply.Fail(receipt.error());
                         if (!receipt->replayed) LogAccepted(api.log, call.caller().name(), *receipt);
                         out.set_correlation_id(receipt->correlation_id);
                         out.set_job_count(receipt->job_count);
                         SetTime(receipt->created_at, out.mutable_created_at());
                         out.set_replayed(receipt->replayed);
                         out.set_number(receipt->number);
                         reply.Succeed();
                       });
  }

  const Api& api_;
  CallContext& call_;
  MemoryBudget::Share share_;
  worker::BatchOptions options_;
  std::vector<worker::JobSpec> jobs_;
  bool first_ = true;
};

}  // namespace

std::unique_ptr<SinkOf<v1::SubmitBatchRequest, v1::SubmitBatchResponse>> SubmitBatch(const Api& api, CallContext& call) {
  return std::make_unique<SubmitUpload>(api, call);
}

}  // namespace jobd::server::handlers
