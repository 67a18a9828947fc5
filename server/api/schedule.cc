#include "server/api/handlers.h"

#include <spdlog/spdlog.h>

#include "base/bounds.h"
#include "base/text.h"
#include "logging/fields.h"
#include "server/api/convert.h"
#include "server/api/execute_call.h"
#include "server/api/submit_stream.h"
#include "server/grpc/grpc_call.h"
#include "worker/worker.h"

namespace jobd::server {
namespace {

// Whose, which and what of it, checked.
base::Result<worker::JobSelector> SelectorOf(UnaryCall& call, const jobd::v1::JobSelector& message, FieldCheck& check) {
  CheckCorrelationId(message.correlation_id(), "jobs.correlation_id", check);
  CheckIndex(message.has_index(), message.index(), "jobs.index", check);
  JOBD_RETURN_IF_ERROR(check.Result());
  worker::JobSelector selector;
  JOBD_ASSIGN_OR_RETURN(selector.batch.owner, call.OwnerOf(message.owner()));
  selector.batch.correlation_id = message.correlation_id();
  call.About(selector.batch);
  if (message.has_index()) selector.index = message.index();
  return selector;
}

// Says in the log who changed which batch.
void LogChange(const Backend& backend, const UnaryCall& call, const char* what, const worker::BatchName& batch) {
  backend.log.info(
      "{}", logging::Line(what, {{"correlation_id", batch.correlation_id}, {"owner", batch.owner}, {"by", call.caller().name()}}));
}

// The calls that are a selector and give a number. `ask(selector, callback)` asks the worker; `set(count)` fills the answer.
template <typename Ask, typename Set>
void ServeCount(const Backend& backend, UnaryCall& call, const jobd::v1::JobSelector& jobs, const char* what, FieldCheck check,
                Ask ask, Set set) {
  auto selector = SelectorOf(call, jobs, check);
  if (!selector.ok()) return call.Fail(selector.error());
  LogChange(backend, call, what, selector->batch);
  ask(*std::move(selector), [&call, set](auto result) {
    if (!result.ok()) return call.Fail(result.error());
    set(*result);
    call.Succeed();
  });
}

}  // namespace

grpc::ServerUnaryReactor* ScheduleService::ExecuteJob(Context* context, const jobd::v1::ExecuteJobRequest* request,
                                                      jobd::v1::ExecuteJobResponse* response) {
  return StartExecuteCall(backend_, context, *request, response);
}

grpc::ServerReadReactor<grpc::ByteBuffer>* ScheduleService::SubmitBatch(Context* context, grpc::ByteBuffer* response) {
  return StartSubmitStream(backend_, context, response);
}

grpc::ServerUnaryReactor* ScheduleService::Cancel(Context* context, const jobd::v1::CancelRequest* request,
                                                  jobd::v1::CancelResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.JobScheduleService/Cancel", [&](UnaryCall& call) {
    FieldCheck check;
    check.Require(request->reason().size() <= base::kMaxReasonBytes, "reason",
                  "is longer than " + std::to_string(base::kMaxReasonBytes) + " bytes");
    std::optional<base::Nanos> grace;
    if (request->has_grace()) grace = DurationOf(request->grace(), "grace", check, base::kMaxJobTime);
    ServeCount(
        backend_, call, request->jobs(), "cancel", std::move(check),
        [&](worker::JobSelector jobs, auto done) {
          backend_.worker.Cancel(std::move(jobs), call.caller().name(), request->reason(), grace, std::move(done));
        },
        [response](const worker::CancelCounts& counts) {
          response->set_cancelled(counts.cancelled);
          response->set_stopping(counts.stopping);
        });
  });
}

grpc::ServerUnaryReactor* ScheduleService::Signal(Context* context, const jobd::v1::SignalRequest* request,
                                                  jobd::v1::SignalResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.JobScheduleService/Signal", [&](UnaryCall& call) {
    FieldCheck check;
    check.Require(request->signal() >= 1 && request->signal() <= base::kMaxSignal, "signal", "must be from 1 to 64");
    ServeCount(
        backend_, call, request->jobs(), "signal", std::move(check),
        [&](worker::JobSelector jobs, auto done) { backend_.worker.Signal(std::move(jobs), request->signal(), std::move(done)); },
        [response](uint32_t count) { response->set_signalled(count); });
  });
}

grpc::ServerUnaryReactor* ScheduleService::Retry(Context* context, const jobd::v1::RetryRequest* request,
                                                 jobd::v1::RetryResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.JobScheduleService/Retry", [&](UnaryCall& call) {
    ServeCount(
        backend_, call, request->jobs(), "retry", {},
        [&](worker::JobSelector jobs, auto done) {
          backend_.worker.Retry(std::move(jobs), request->failed_only(), std::move(done));
        },
        [response](uint32_t count) { response->set_requeued(count); });
  });
}

grpc::ServerUnaryReactor* ScheduleService::Hold(Context* context, const jobd::v1::HoldRequest* request,
                                                jobd::v1::HoldResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.JobScheduleService/Hold", [&](UnaryCall& call) {
    ServeCount(
        backend_, call, request->jobs(), "hold", {},
        [&](worker::JobSelector jobs, auto done) { backend_.worker.Hold(std::move(jobs), std::move(done)); },
        [response](uint32_t count) { response->set_held(count); });
  });
}

grpc::ServerUnaryReactor* ScheduleService::Release(Context* context, const jobd::v1::ReleaseRequest* request,
                                                   jobd::v1::ReleaseResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.JobScheduleService/Release", [&](UnaryCall& call) {
    ServeCount(
        backend_, call, request->jobs(), "release", {},
        [&](worker::JobSelector jobs, auto done) { backend_.worker.Release(std::move(jobs), std::move(done)); },
        [response](uint32_t count) { response->set_released(count); });
  });
}

grpc::ServerUnaryReactor* ScheduleService::RemoveBatch(Context* context, const jobd::v1::RemoveBatchRequest* request,
                                                       jobd::v1::RemoveBatchResponse* /*response*/) {
  return ServeUnary(backend_, *context, "/jobd.v1.JobScheduleService/RemoveBatch", [&](UnaryCall& call) {
    FieldCheck check;
    CheckCorrelationId(request->correlation_id(), "correlation_id", check);
    if (const base::Status checked = check.Result(); !checked.ok()) return call.Fail(checked.error());
    auto owner = call.OwnerOf(request->owner());
    if (!owner.ok()) return call.Fail(owner.error());
    worker::BatchName batch{.owner = *std::move(owner), .correlation_id = request->correlation_id()};
    call.About(batch);
    LogChange(backend_, call, "remove", batch);
    backend_.worker.Remove(std::move(batch), [&call](base::Result<bool> result) {
      if (!result.ok()) return call.Fail(result.error());
      call.Succeed();
    });
  });
}

grpc::ServerUnaryReactor* ScheduleService::PruneBatches(Context* context, const jobd::v1::PruneBatchesRequest* request,
                                                        jobd::v1::PruneBatchesResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.JobScheduleService/PruneBatches", [&](UnaryCall& call) {
    FieldCheck check;
    // Without an age everything finished would go: not what one forgets to say.
    check.Require(request->has_older_than(), "older_than", "is needed");
    const base::Nanos older_than = DurationOf(request->older_than(), "older_than", check);
    if (const base::Status checked = check.Result(); !checked.ok()) return call.Fail(checked.error());
    if (!request->dry_run()) backend_.log.info("{}", logging::Line("prune", {{"by", call.caller().name()}}));
    backend_.worker.Prune(call.caller().name(), older_than, request->dry_run(),
                          [&call, response](base::Result<worker::Pruned> result) {
                            if (!result.ok()) return call.Fail(result.error());
                            response->set_batches(result->batches);
                            response->set_bytes(result->bytes);
                            call.Succeed();
                          });
  });
}

}  // namespace jobd::server
