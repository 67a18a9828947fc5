// JobQueryService, all that is answered with one message.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/bounds.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/target.h"
#include "server/api/waits.h"
#include "server/rpc/public_error.h"
#include "worker/worker.h"

namespace jobd::server::handlers {
namespace {

template <typename Request>
std::optional<uint32_t> IndexOf(const Request& in) {
  return in.has_index() ? std::optional(in.index()) : std::nullopt;
}

base::Result<worker::JobQuery> JobQueryOf(const Api& api, CallContext& call, const v1::GetBatchRequest& in) {
  FieldCheck check;
  worker::JobQuery query{.with_settings = true};
  query.states = StatesOf(in.states(), check);
  check.Require(in.page_token().size() <= base::kMaxPageTokenBytes, "page_token", "is none of ours");
  JOBD_ASSIGN_OR_RETURN(worker::Target target,
                        TargetOf(api, call, {in.owner(), in.correlation_id(), in.address(), IndexOf(in), ""}, check));
  query.batch = std::move(target.batch);
  query.index = target.index;
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

// What is told of a job that waits when the worker's loop does not say why.
void SetUnknownWait(const base::Error& error, v1::JobStatus* job) {
  v1::WaitReason* const wait = job->add_waits();
  wait->set_code(v1::WAIT_CODE_RECOVERING);
  wait->set_text("not known at the moment: " + ToPublic(error).message);
}

// Fills an answer that has `jobs`, and answers with it. Why jobs wait is asked of the worker's loop; should that not answer, all
// else is told.
template <typename Response>
void AnswerWithJobs(const Api& api, CallContext& call, const worker::JobPage& page, Response& out, const Reply& reply) {
  const std::string& owner = page.batch.name.owner;
  const bool own = owner == call.caller().name();
  for (const worker::JobView& job : page.jobs) {
    v1::JobStatus* const status = out.add_jobs();
    SetJob(job, status);
    SetSettings(job, own, status);
  }
  worker::WaitQuery query = WaitsAskedFor(page);
  if (query.jobs.empty()) return reply.Succeed();
  std::vector<int> places;  // in `out`, of those asked about
  for (int i = 0; i < out.jobs_size(); ++i) {
    if (places.size() < query.jobs.size() && query.jobs[places.size()].index == out.jobs(i).index()) places.push_back(i);
  }
  api.worker.Explain(std::move(query),
                     [&out, reply, owner, own, places](const base::Result<std::vector<worker::WaitReasons>>& waits) {
                       for (size_t i = 0; i < places.size(); ++i) {
                         v1::JobStatus* const job = out.mutable_jobs(places[i]);
                         if (!waits.ok()) {
                           SetUnknownWait(waits.error(), job);
                         } else if (i < waits->size()) {
                           for (const worker::WaitReason& wait : (*waits)[i]) SetWait(wait, owner, own, job->add_waits());
                         }
                       }
                       reply.Succeed();
                     });
}

// The jobs that explain a batch: the first that waits, and the first that did not succeed.
base::Status AddTelling(const Api& api, worker::JobQuery query, worker::JobPage& page) {
  using enum worker::JobState;
  constexpr std::array kWaiting = {kQueued, kHeld};
  constexpr std::array kFailures = {kFailed, kTimedOut, kOomKilled, kLost};
  constexpr std::array kCancelledAlone = {kCancelled};
  const auto has = [&](worker::JobState state) {
    const auto found = page.batch.counts.find(state);
    return found != page.batch.counts.end() && found->second > 0;
  };
  const auto add = [&](const auto& states, std::optional<worker::JobState> shown_as = {}) -> base::Result<bool> {
    if (std::none_of(states.begin(), states.end(), has) && !(shown_as && has(*shown_as))) return false;
    query.states.assign(states.begin(), states.end());
    query.page_size = 1;
    JOBD_ASSIGN_OR_RETURN(worker::JobPage found, api.worker.GetBatch(query));
    if (found.jobs.empty()) return false;
    page.jobs.push_back(std::move(found.jobs.front()));
    return true;
  };
  // One whose start is not recorded yet is found under what its row says.
  JOBD_ASSIGN_OR_RETURN([[maybe_unused]] const bool waits, add(kWaiting, kScheduled));
  JOBD_ASSIGN_OR_RETURN(const bool failed, add(kFailures));
  // What was cancelled as a consequence says less than its cause.
  if (!failed) JOBD_RETURN_IF_ERROR(add(kCancelledAlone));
  return base::Ok();
}

}  // namespace

void GetBatch(const Api& api, CallContext& call, const v1::GetBatchRequest& in, v1::GetBatchResponse& out, Reply reply) {
  const auto query = JobQueryOf(api, call, in);
  if (!query.ok()) return reply.Fail(query.error());
  const auto page = api.worker.GetBatch(*query);
  if (!page.ok()) return reply.Fail(page.error());
  SetBatch(page->batch, out.mutable_batch());
  out.set_next_page_token(page->next_page_token);
  AnswerWithJobs(api, call, *page, out, reply);
}

void Resolve(const Api& api, CallContext& call, const v1::ResolveRequest& in, v1::ResolveResponse& out, Reply reply) {
  FieldCheck check;
  check.Require(!in.address().empty(), "address", "is needed");
  const auto target = TargetOf(api, call, {in.owner(), "", in.address(), std::nullopt, ""}, check);
  if (!target.ok()) return reply.Fail(target.error());
  // Checks that the batch has such a job.
  const auto page = api.worker.GetBatch({.batch = target->batch, .index = target->index, .page_size = 1});
  if (!page.ok()) return reply.Fail(page.error());
  SetBatch(page->batch, out.mutable_batch());
  if (target->index) out.set_index(*target->index);
  reply.Succeed();
}

void Explain(const Api& api, CallContext& call, const v1::ExplainRequest& in, v1::ExplainResponse& out, Reply reply) {
  FieldCheck check;
  const auto target = TargetOf(api, call, {in.owner(), in.correlation_id(), in.address(), IndexOf(in), ""}, check);
  if (!target.ok()) return reply.Fail(target.error());
  const worker::JobQuery query{.batch = target->batch, .index = target->index, .page_size = 1, .with_settings = true};
  auto page = api.worker.GetBatch(query);
  if (!page.ok()) return reply.Fail(page.error());
  if (!target->index) {
    page->jobs.clear();
    if (const auto status = AddTelling(api, query, *page); !status.ok()) return reply.Fail(status.error());
  }
  SetBatch(page->batch, out.mutable_batch());
  AnswerWithJobs(api, call, *page, out, reply);
}

void ListBatches(const Api& api, CallContext& call, const v1::ListBatchesRequest& in, v1::ListBatchesResponse& out, Reply reply) {
  const auto query = BatchQueryOf(call, in);
  if (!query.ok()) return reply.Fail(query.error());
  const auto page = api.worker.ListBatches(*query);
  if (!page.ok()) return reply.Fail(page.error());
  for (const worker::BatchView& batch : page->batches) {
    v1::Batch* const entry = out.add_batches();
    SetBatch(batch, entry);
    SetSummary(batch.first_job, entry->mutable_first_job());
  }
  out.set_next_page_token(page->next_page_token);
  reply.Succeed();
}

}  // namespace jobd::server::handlers
