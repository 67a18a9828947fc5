// JobQueryService, all that is answered with one message.
#include <algorithm>

#include "base/bounds.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "worker/worker.h"

namespace jobd::server::handlers {
namespace {

base::Result<worker::JobQuery> JobQueryOf(CallContext& call, const v1::GetBatchRequest& in) {
  FieldCheck check;
  worker::JobQuery query;
  CheckCorrelationId(in.correlation_id(), "correlation_id", check);
  CheckIndex(in.has_index(), in.index(), "index", check);
  if (in.has_index()) query.index = in.index();
  query.states = StatesOf(in.states(), check);
  check.Require(in.page_token().size() <= base::kMaxPageTokenBytes, "page_token", "is none of ours");
  JOBD_RETURN_IF_ERROR(check.Result());
  JOBD_ASSIGN_OR_RETURN(query.batch.owner, call.OwnerOf(in.owner()));
  query.batch.correlation_id = in.correlation_id();
  call.SetAbout(query.batch);
  query.page_size = in.page_size() == 0 ? base::kMaxPageRows : std::min(in.page_size(), base::kMaxPageRows);
  query.page_token = in.page_token();
  return query;
}

base::Result<worker::BatchQuery> BatchQueryOf(const CallContext& call, const v1::ListBatchesRequest& in) {
  FieldCheck check;
  worker::BatchQuery query;
  query.states = StatesOf(in.states(), check);
  check.Require(static_cast<size_t>(in.labels_size()) <= base::kMaxLabels, "labels",
                "are more than " + std::to_string(base::kMaxLabels));
  query.labels.insert(in.labels().begin(), in.labels().end());
  check.Require(in.page_token().size() <= base::kMaxPageTokenBytes, "page_token", "is none of ours");
  JOBD_RETURN_IF_ERROR(check.Result());
  if (in.owner() == "*") {
    if (!call.reaches_all()) query.owner = call.caller().name();
  } else {
    JOBD_ASSIGN_OR_RETURN(query.owner, call.OwnerOf(in.owner()));
  }
  query.page_size = in.page_size() == 0 ? base::kDefaultPageBatches : std::min(in.page_size(), base::kMaxPageRows);
  query.page_token = in.page_token();
  return query;
}

}  // namespace

void GetBatch(const Api& api, CallContext& call, const v1::GetBatchRequest& in, v1::GetBatchResponse& out, Reply reply) {
  const auto query = JobQueryOf(call, in);
  if (!query.ok()) return reply.Fail(query.error());
  const auto page = api.worker.GetBatch(*query);
  if (!page.ok()) return reply.Fail(page.error());
  SetBatch(page->batch, out.mutable_batch());
  for (const worker::JobView& job : page->jobs) SetJob(job, out.add_jobs());
  out.set_next_page_token(page->next_page_token);
  reply.Succeed();
}

void ListBatches(const Api& api, CallContext& call, const v1::ListBatchesRequest& in, v1::ListBatchesResponse& out, Reply reply) {
  const auto query = BatchQueryOf(call, in);
  if (!query.ok()) return reply.Fail(query.error());
  const auto page = api.worker.ListBatches(*query);
  if (!page.ok()) return reply.Fail(page.error());
  for (const worker::BatchView& batch : page->batches) SetBatch(batch, out.add_batches());
  out.set_next_page_token(page->next_page_token);
  reply.Succeed();
}

}  // namespace jobd::server::handlers
