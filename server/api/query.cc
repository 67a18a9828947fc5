#include "server/api/query_service.h"

#include "base/bounds.h"
#include "server/api/convert_reply.h"
#include "server/api/convert.h"
#include "server/api/log_stream.h"
#include "server/api/search_stream.h"
#include "server/api/watch_stream.h"
#include "server/grpc/grpc_status.h"
#include "server/grpc/malformed.h"
#include "server/grpc/grpc_call.h"
#include "worker/worker.h"

namespace jobd::server {
namespace {

base::Result<worker::JobQuery> JobQueryOf(UnaryCall& call, const jobd::v1::GetBatchRequest& request) {
  FieldCheck check;
  worker::JobQuery query;
  CheckCorrelationId(request.correlation_id(), "correlation_id", check);
  CheckIndex(request.has_index(), request.index(), "index", check);
  if (request.has_index()) query.index = request.index();
  query.states = StatesOf(request.states(), check);
  check.Require(request.page_token().size() <= base::kMaxPageTokenBytes, "page_token", "is none of ours");
  JOBD_RETURN_IF_ERROR(check.Result());
  JOBD_ASSIGN_OR_RETURN(query.batch.owner, call.OwnerOf(request.owner()));
  query.batch.correlation_id = request.correlation_id();
  call.About(query.batch);
  query.page_size = request.page_size() == 0 ? base::kMaxPageRows : std::min(request.page_size(), base::kMaxPageRows);
  query.page_token = request.page_token();
  return query;
}

base::Result<worker::BatchQuery> BatchQueryOf(const UnaryCall& call, const jobd::v1::ListBatchesRequest& request) {
  FieldCheck check;
  worker::BatchQuery query;
  query.states = StatesOf(request.states(), check);
  check.Require(request.labels_size() <= 64, "labels", "are more than 64");
  query.labels.insert(request.labels().begin(), request.labels().end());
  check.Require(request.page_token().size() <= base::kMaxPageTokenBytes, "page_token", "is none of ours");
  JOBD_RETURN_IF_ERROR(check.Result());
  if (request.owner() == "*") {
    if (!call.reaches_all()) query.owner = call.caller().name();
  } else {
    JOBD_ASSIGN_OR_RETURN(query.owner, call.OwnerOf(request.owner()));
  }
  query.page_size = request.page_size() == 0 ? base::kDefaultPageBatches : std::min(request.page_size(), base::kMaxPageRows);
  query.page_token = request.page_token();
  return query;
}

// The first lines of each stream: admitted, acceptable, and whose. `batch` is as asked for; `make(call, owner)` gives the stream.
template <typename Response, typename Make>
grpc::ServerWriteReactor<Response>* ServeStream(const Backend& backend, const grpc::CallbackServerContext& context,
                                                std::string_view method, FieldCheck check, const worker::BatchName& batch,
                                                Make make) {
  const auto refuse = [&](const base::Error& error) { return new RefusedStream<Response>(backend.errors.Report(error, method)); };
  auto call = backend.admission.Admit(context, method);
  if (!call.ok()) return refuse(call.error());
  if (const base::Status checked = check.Result(); !checked.ok()) return refuse(checked.error());
  auto resolved = ResolveOwner(call->caller.name(), call->reach, batch.owner);
  if (!resolved.ok()) return refuse(resolved.error());
  call->about = {*resolved, batch.correlation_id};
  return WriteStream<Response>::Launch(make(*std::move(call), *std::move(resolved)));
}

}  // namespace

grpc::ServerUnaryReactor* QueryService::GetBatch(Context* context, const jobd::v1::GetBatchRequest* request,
                                                 jobd::v1::GetBatchResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.JobQueryService/GetBatch", [&](UnaryCall& call) {
    const auto query = JobQueryOf(call, *request);
    if (!query.ok()) return call.Fail(query.error());
    const auto page = backend_.worker.GetBatch(*query);
    if (!page.ok()) return call.Fail(page.error());
    SetBatch(page->batch, response->mutable_batch());
    for (const worker::JobView& job : page->jobs) SetJob(job, response->add_jobs());
    response->set_next_page_token(page->next_page_token);
    call.Succeed();
  });
}

grpc::ServerUnaryReactor* QueryService::ListBatches(Context* context, const jobd::v1::ListBatchesRequest* request,
                                                    jobd::v1::ListBatchesResponse* response) {
  return ServeUnary(backend_, *context, "/jobd.v1.JobQueryService/ListBatches", [&](UnaryCall& call) {
    const auto query = BatchQueryOf(call, *request);
    if (!query.ok()) return call.Fail(query.error());
    const auto page = backend_.worker.ListBatches(*query);
    if (!page.ok()) return call.Fail(page.error());
    for (const worker::BatchView& batch : page->batches) SetBatch(batch, response->add_batches());
    response->set_next_page_token(page->next_page_token);
    call.Succeed();
  });
}

grpc::ServerWriteReactor<jobd::v1::SearchJobResponse>* QueryService::SearchJob(Context* context,
                                                                               const jobd::v1::SearchJobRequest* request) {
  FieldCheck check;
  CheckCorrelationId(request->correlation_id(), "correlation_id", check);
  return ServeStream<jobd::v1::SearchJobResponse>(backend_, *context, "/jobd.v1.JobQueryService/SearchJob", std::move(check),
                                                  {request->owner(), request->correlation_id()}, [&](Call call, std::string owner) {
                                                    return std::make_shared<SearchStream>(
                                                        backend_, std::move(call), context,
                                                        worker::BatchName{std::move(owner), request->correlation_id()});
                                                  });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* QueryService::StreamLogs(Context* context, const grpc::ByteBuffer* bytes) {
  constexpr std::string_view kMethod = "/jobd.v1.JobQueryService/StreamLogs";
  jobd::v1::StreamLogsRequest request;
  grpc::ByteBuffer taken(*bytes);
  if (!grpc::SerializationTraits<jobd::v1::StreamLogsRequest>::Deserialize(&taken, &request).ok()) {
    return new RefusedStream<grpc::ByteBuffer>({grpc::StatusCode::INVALID_ARGUMENT, std::string(kMalformedRequest)});
  }
  FieldCheck check;
  worker::LogQuery query = LogQueryOf(request, check);
  return ServeStream<grpc::ByteBuffer>(backend_, *context, kMethod, std::move(check), {request.owner(), request.correlation_id()},
                                       [&](Call call, std::string owner) {
                                         query.batch.owner = std::move(owner);
                                         return std::make_shared<LogStream>(backend_, std::move(call), context, std::move(query));
                                       });
}

grpc::ServerWriteReactor<jobd::v1::WatchBatchResponse>* QueryService::WatchBatch(Context* context,
                                                                                 const jobd::v1::WatchBatchRequest* request) {
  FieldCheck check;
  CheckCorrelationId(request->correlation_id(), "correlation_id", check);
  return ServeStream<jobd::v1::WatchBatchResponse>(
      backend_, *context, "/jobd.v1.JobQueryService/WatchBatch", std::move(check), {request->owner(), request->correlation_id()},
      [&](Call call, std::string owner) {
        return std::make_shared<WatchStream>(backend_, std::move(call), context,
                                             worker::BatchName{std::move(owner), request->correlation_id()});
      });
}

}  // namespace jobd::server
