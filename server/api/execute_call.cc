#include "server/api/execute_call.h"

#include <spdlog/spdlog.h>

#include <memory>

#include "jobd/v1/job_schedule_service.pb.h"
#include "server/api/convert_reply.h"
#include "server/api/convert.h"
#include "server/auth/submitter.h"
#include "server/grpc/grpc_status.h"
#include "server/rpc/stream_driver.h"
#include "worker/worker.h"

namespace jobd::server {
namespace {

class ExecuteCall final : public Pump, public grpc::ServerUnaryReactor {
 public:
  ExecuteCall(const Backend& backend, Call call, grpc::CallbackServerContext* context, bool wait,
              jobd::v1::ExecuteJobResponse* response)
      : Pump(backend, std::move(call)), context_(context), wait_(wait), response_(response) {}

  // Keeps itself until gRPC is done with it.
  void Submit(std::shared_ptr<ExecuteCall> self, worker::BatchOptions options, worker::JobSpec job) {
    self_ = std::move(self);
    std::vector<worker::JobSpec> jobs;
    jobs.push_back(std::move(job));
    backend().worker.Submit(SubmitterOf(call().caller), std::move(options), std::move(jobs),
                            [this](base::Result<worker::Receipt> receipt) { OnAccepted(receipt); });
  }

 private:
  void OnAccepted(const base::Result<worker::Receipt>& receipt) {
    if (!receipt.ok()) {
      EndCount();
      return Finish(backend().errors.Report(receipt.error(), call().method));
    }
    batch_ = {.owner = call().caller.name(), .correlation_id = receipt->correlation_id};
    if (!receipt->replayed) LogAccepted(backend().log, batch_.owner, *receipt);
    response_->set_correlation_id(batch_.correlation_id);
    if (wait_) return Start();
    response_->mutable_result()->set_state(jobd::v1::JOB_STATE_QUEUED);
    EndCount();
    Finish(grpc::Status::OK);
  }

  Next Produce(grpc::Status& end) override {
    const auto fail = [&](const base::Error& error) {
      end = backend().errors.Report(error, call().method, batch_);
      return Next::kEnd;
    };
    if (!watch_) {
      auto watch = backend().worker.Watch(batch_);
      if (!watch.ok()) return fail(watch.error());
      watch_ = *std::move(watch);
    }
    for (;;) {
      const auto update = watch_->Next();
      if (!update.ok()) return fail(update.error());
      if (!update->has_value()) return Next::kWait;
      if ((*update)->finished) break;
    }
    const auto page = backend().worker.GetBatch({.batch = batch_, .index = 1});
    if (!page.ok()) return fail(page.error());
    if (page->jobs.size() == 1) {
      SetResult(page->jobs.front().outcome, response_->mutable_result());
      if (page->jobs.front().started_at != 0) SetTime(page->jobs.front().started_at, response_->mutable_executed_at());
    }
    end = grpc::Status::OK;
    return Next::kEnd;
  }
  void Arm(std::function<void()> wake) override { watch_->Arm(std::move(wake)); }
  void SendMessage(size_t /*slot*/) override {}  // Produce never asks for it
  void FinishCall(const grpc::Status& status) override { Finish(status); }
  void CancelCall() override { context_->TryCancel(); }
  void OnCancel() override {
    if (wait_) End(grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone"));
  }
  void OnDone() override { const auto last = std::move(self_); }

  grpc::CallbackServerContext* const context_;
  const bool wait_;
  jobd::v1::ExecuteJobResponse* const response_;
  worker::BatchName batch_;
  std::unique_ptr<worker::BatchWatch> watch_;
  std::shared_ptr<ExecuteCall> self_;
};

class RefusedCall final : public grpc::ServerUnaryReactor {
 public:
  explicit RefusedCall(const grpc::Status& status) { Finish(status); }

 private:
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerUnaryReactor* StartExecuteCall(const Backend& backend, grpc::CallbackServerContext* context,
                                           const jobd::v1::ExecuteJobRequest& request, jobd::v1::ExecuteJobResponse* response) {
  constexpr std::string_view kMethod = "/jobd.v1.JobScheduleService/ExecuteJob";
  auto call = backend.admission.Admit(*context, kMethod);
  if (!call.ok()) return new RefusedCall(backend.errors.Report(call.error(), kMethod));
  FieldCheck check;
  worker::BatchOptions options = BatchOptionsOf(request.options(), check);
  worker::JobSpec job = JobSpecOf(request.job(), "job", check);
  if (const base::Status checked = check.Result(); !checked.ok()) return new RefusedCall(ToGrpcStatus(checked.error()));
  auto reactor = std::make_shared<ExecuteCall>(backend, *std::move(call), context, request.wait(), response);
  ExecuteCall* const raw = reactor.get();
  raw->Submit(std::move(reactor), std::move(options), std::move(job));
  return raw;
}

}  // namespace jobd::server
