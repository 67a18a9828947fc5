// JobScheduleService, all but SubmitBatch.
#include <spdlog/spdlog.h>

#include <memory>
#include <optional>

#include "base/bounds.h"
#include "logging/fields.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/submitter.h"
#include "server/api/target.h"
#include "worker/worker.h"

namespace jobd::server::handlers {
namespace {

// The checked selector: whose batch, which batch, which jobs of it.
base::Result<worker::JobSelector> SelectorOf(const Api& api, CallContext& call, const v1::JobSelector& message, FieldCheck& check) {
  const auto index = message.has_index() ? std::optional(message.index()) : std::nullopt;
  JOBD_ASSIGN_OR_RETURN(worker::Target target,
                        TargetOf(api, call, {message.owner(), message.correlation_id(), message.address(), index, "jobs."}, check));
  return worker::JobSelector{.batch = std::move(target.batch), .index = target.index};
}

// Logs who changed which batch.
void LogChange(const Api& api, const CallContext& call, const char* what, const worker::BatchName& batch) {
  api.log.info(
      "{}", logging::Line(what, {{"correlation_id", batch.correlation_id}, {"owner", batch.owner}, {"by", call.caller().name()}}));
}

// Serves a method that takes a selector and answers with a number. `ask(selector, callback)` asks the worker; `set(count)` fills
// the answer.
template <typename Ask, typename Set>
void ServeCount(const Api& api, CallContext& call, const v1::JobSelector& jobs, const char* what, FieldCheck check,
                const Reply& reply, Ask ask, Set set) {
  auto selector = SelectorOf(api, call, jobs, check);
  if (!selector.ok()) return reply.Fail(selector.error());
  LogChange(api, call, what, selector->batch);
  ask(*std::move(selector), [reply, set](auto result) {
    if (!result.ok()) return reply.Fail(result.error());
    set(*result);
    reply.Succeed();
  });
}

// The answer of ExecuteJob with `wait`: one message, when the job has ended.
class ExecuteWait final : public SourceOf<v1::ExecuteJobResponse> {
 public:
  ExecuteWait(const Api& api, worker::BatchName batch) : api_(api), batch_(std::move(batch)) {}

 private:
  Next Make(v1::ExecuteJobResponse& out, base::Status& end) override {
    auto ended = TakeEnd(out);
    if (!ended.ok()) {
      end = std::move(ended).error();
      return Next::kEnd;
    }
    return *ended ? Next::kEnd : Next::kWait;
  }
  void Arm(std::function<void()> wake) override { watch_->Arm(std::move(wake)); }

  // False while the job has not ended.
  base::Result<bool> TakeEnd(v1::ExecuteJobResponse& out) {
    if (!watch_) {
      JOBD_ASSIGN_OR_RETURN(watch_, api_.worker.Watch(batch_));
    }
    for (;;) {
      JOBD_ASSIGN_OR_RETURN(const auto update, watch_->Next());
      if (!update.has_value()) return false;
      if (update->finished) break;
    }
    JOBD_ASSIGN_OR_RETURN(const auto page, api_.worker.GetBatch({.batch = batch_, .index = 1}));
    if (page.jobs.size() == 1) {
      SetResult(page.jobs.front().outcome, out.mutable_result());
      if (page.jobs.front().started_at != 0) SetTime(page.jobs.front().started_at, out.mutable_executed_at());
    }
    return true;
  }

  const Api& api_;
  const worker::BatchName batch_;
  std::unique_ptr<worker::BatchWatch> watch_;
};

}  // namespace

void ExecuteJob(const Api& api, CallContext& call, const v1::ExecuteJobRequest& in, v1::ExecuteJobResponse& out, Reply reply) {
  FieldCheck check;
  worker::BatchOptions options = BatchOptionsOf(in.options(), check);
  std::vector<worker::JobSpec> jobs;
  jobs.push_back(JobSpecOf(in.job(), "job", check));
  if (const base::Status checked = check.Result(); !checked.ok()) return reply.Fail(checked.error());
  api.worker.Submit(SubmitterOf(call.caller()), std::move(options), std::move(jobs),
                    [&api, &call, &out, reply, wait = in.wait()](base::Result<worker::Receipt> receipt) {
                      if (!receipt.ok()) return reply.Fail(receipt.error());
                      worker::BatchName batch{.owner = call.caller().name(), .correlation_id = receipt->correlation_id};
                      if (!receipt->replayed) LogAccepted(api.log, batch.owner, *receipt);
                      out.set_correlation_id(batch.correlation_id);
                      call.SetAbout(batch);
                      if (wait) return reply.Await(std::make_unique<ExecuteWait>(api, std::move(batch)));
                      out.mutable_result()->set_state(v1::JOB_STATE_QUEUED);
                      reply.Succeed();
                    });
}

void Cancel(const Api& api, CallContext& call, const v1::CancelRequest& in, v1::CancelResponse& out, Reply reply) {
  FieldCheck check;
  check.Require(in.reason().size() <= base::kMaxReasonBytes, "reason",
                "is longer than " + std::to_string(base::kMaxReasonBytes) + " bytes");
  std::optional<base::Nanos> grace;
  if (in.has_grace()) grace = DurationOf(in.grace(), "grace", check, base::kMaxJobTime);
  ServeCount(
      api, call, in.jobs(), "cancel", std::move(check), reply,
      [&](worker::JobSelector jobs, auto done) {
        api.worker.Cancel(std::move(jobs), call.caller().name(), in.reason(), grace, std::move(done));
      },
      [&out](const worker::CancelCounts& counts) {
        out.set_cancelled(counts.cancelled);
        out.set_stopping(counts.stopping);
      });
}

void Signal(const Api& api, CallContext& call, const v1::SignalRequest& in, v1::SignalResponse& out, Reply reply) {
  FieldCheck check;
  check.Require(in.signal() >= 1 && in.signal() <= base::kMaxSignal, "signal", "must be from 1 to 64");
  ServeCount(
      api, call, in.jobs(), "signal", std::move(check), reply,
      [&](worker::JobSelector jobs, auto done) { api.worker.Signal(std::move(jobs), in.signal(), std::move(done)); },
      [&out](uint32_t count) { out.set_signalled(count); });
}

void Retry(const Api& api, CallContext& call, const v1::RetryRequest& in, v1::RetryResponse& out, Reply reply) {
  ServeCount(
      api, call, in.jobs(), "retry", {}, reply,
      [&](worker::JobSelector jobs, auto done) { api.worker.Retry(std::move(jobs), in.failed_only(), std::move(done)); },
      [&out](uint32_t count) { out.set_requeued(count); });
}

void Hold(const Api& api, CallContext& call, const v1::HoldRequest& in, v1::HoldResponse& out, Reply reply) {
  ServeCount(
      api, call, in.jobs(), "hold", {}, reply,
      [&](worker::JobSelector jobs, auto done) { api.worker.Hold(std::move(jobs), call.caller().name(), std::move(done)); },
      [&out](uint32_t count) { out.set_held(count); });
}

void Release(const Api& api, CallContext& call, const v1::ReleaseRequest& in, v1::ReleaseResponse& out, Reply reply) {
  ServeCount(
      api, call, in.jobs(), "release", {}, reply,
      [&](worker::JobSelector jobs, auto done) { api.worker.Release(std::move(jobs), std::move(done)); },
      [&out](uint32_t count) { out.set_released(count); });
}

void RemoveBatch(const Api& api, CallContext& call, const v1::RemoveBatchRequest& in, v1::RemoveBatchResponse& /*out*/,
                 Reply reply) {
  FieldCheck check;
  auto batch = BatchOf(api, call, {in.owner(), in.correlation_id(), in.address(), std::nullopt, ""}, check);
  if (!batch.ok()) return reply.Fail(batch.error());
  LogChange(api, call, "remove", *batch);
  api.worker.Remove(*std::move(batch), [reply](base::Result<bool> result) {
    if (!result.ok()) return reply.Fail(result.error());
    reply.Succeed();
  });
}

void PruneBatches(const Api& api, CallContext& call, const v1::PruneBatchesRequest& in, v1::PruneBatchesResponse& out,
                  Reply reply) {
  FieldCheck check;
  // Without an age everything finished would go: too much for a field that was forgotten.
  check.Require(in.has_older_than(), "older_than", "is needed");
  const base::Nanos older_than = DurationOf(in.older_than(), "older_than", check);
  if (const base::Status checked = check.Result(); !checked.ok()) return reply.Fail(checked.error());
  if (!in.dry_run()) api.log.info("{}", logging::Line("prune", {{"by", call.caller().name()}}));
  api.worker.Prune(call.caller().name(), older_than, in.dry_run(), [reply, &out](base::Result<worker::Pruned> result) {
    if (!result.ok()) return reply.Fail(result.error());
    out.set_batches(result->batches);
    out.set_bytes(result->bytes);
    reply.Succeed();
  });
}

}  // namespace jobd::server::handlers
