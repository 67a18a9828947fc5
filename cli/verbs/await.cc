#include "cli/verbs/await.h"

#include <algorithm>
#include <map>
#include <optional>
#include <thread>

#include "base/bounds.h"
#include "base/guarded.h"
#include "cli/connect/check/answer_check.h"
#include "cli/connect/client.h"
#include "cli/connect/reconnect.h"
#include "cli/view/exit_code.h"
#include "cli/view/states.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Nanos;
using base::Result;
using base::Status;

v1::GetBatchRequest Request(const JobRef& ref) {
  v1::GetBatchRequest request;
  request.set_correlation_id(ref.correlation_id);
  request.set_owner(ref.owner);
  if (ref.index) request.set_index(*ref.index);
  return request;
}

// How one job ended; nothing while it has not ended.
Result<std::optional<Ended>> EndOfJob(Client& client, const JobRef& ref) {
  v1::GetBatchResponse response;
  JOBD_RETURN_IF_ERROR(client.GetBatch(Request(ref), &response));
  for (const v1::JobStatus& job : response.jobs()) {
    if (job.index() != *ref.index) continue;
    if (!IsFinal(job.result().state())) return std::optional<Ended>();
    return std::optional<Ended>(Ended{ref, ExitCodeOf(job.result()), {}, job.result()});
  }
  return Error(Code::kNotFound, ref.ToString() + ": there is no such job");
}

Result<Ended> EndOfBatch(Client& client, const JobRef& ref) {
  v1::GetBatchRequest request = Request(ref);
  for (const v1::JobState state : FailureStates()) request.add_states(state);
  LargestExitCode largest;
  PageGuard pages(base::kMaxJobs);
  v1::GetBatchResponse response;
  do {
    request.set_page_token(response.next_page_token());
    JOBD_RETURN_IF_ERROR(client.GetBatch(request, &response));
    JOBD_RETURN_IF_ERROR(pages.Add(static_cast<size_t>(response.jobs_size()), response.ByteSizeLong(), response.next_page_token()));
    for (const v1::JobStatus& job : response.jobs()) largest.Add(job.result());
  } while (!response.next_page_token().empty());
  // That no job is listed as failed does not say that all exited 0.
  const uint32_t succeeded = CountOf(response.batch(), v1::JOB_STATE_SUCCEEDED);
  if (largest.code() == kExitOk && (succeeded == 0 || succeeded != response.batch().job_count())) {
    return Error(Code::kAborted, ref.ToString() + ": only " + std::to_string(succeeded) + " of its " +
                                     std::to_string(response.batch().job_count()) + " jobs have succeeded so far");
  }
  return Ended{ref, largest.code(), std::move(*response.mutable_batch()), {}};
}

// One watch until the end, or until the link is lost.
Status Watch(Client& client, const JobRef& ref, const AwaitOptions& options, Nanos left, Reconnect& reconnect,
             Canceller* canceller) {
  v1::WatchBatchRequest request;
  request.set_correlation_id(ref.correlation_id);
  request.set_owner(ref.owner);
  return client.WatchBatch(
      request, left,
      [&](const v1::WatchBatchResponse& message) {
        reconnect.Contact();
        if (options.on_update) options.on_update(message.batch());
        if (!ref.index) return true;
        return std::none_of(message.jobs().begin(), message.jobs().end(), [&ref](const v1::JobStatus& job) {
          return job.index() == *ref.index && IsFinal(job.result().state());
        });
      },
      canceller);
}

// Some refs, each waited for by one of a few threads.
class Race {
 public:
  Race(Client& client, const std::vector<JobRef>& refs, AwaitWhich which, const AwaitOptions& options, Canceller* canceller)
      : client_(client), refs_(refs), any_(which == AwaitWhich::kAny), options_(options), canceller_(canceller) {}

  Result<std::vector<Ended>> Run() {
    // With kAny every ref needs a stream at once. With kAll the ends may be seen in any order.
    const size_t wanted = any_ ? refs_.size() : std::min(refs_.size(), kMaxAwaitAny);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < wanted; ++i) threads.emplace_back([this] { Work(); });
    for (std::thread& thread : threads) thread.join();
    const auto state = state_.Lock();
    if (state->error) return std::move(*state->error);
    std::vector<Ended> ended;
    for (auto& [position, one] : state->ended) ended.push_back(std::move(one));
    return ended;
  }

 private:
  struct State {
    size_t next = 0;                // the first ref that no thread has taken
    bool decided = false;           // the answer is known
    std::map<size_t, Ended> ended;  // by position in refs
    std::optional<Error> error;
  };

  std::optional<size_t> Take() {
    const auto state = state_.Lock();
    if (state->decided || state->next == refs_.size()) return std::nullopt;
    return state->next++;
  }

  // Takes a result in. False when the answer is known, and nobody waits any longer.
  bool Add(size_t position, Result<Ended> ended) {
    const auto state = state_.Lock();
    if (state->decided) return false;
    if (ended.ok()) {
      state->ended.emplace(position, std::move(ended).value());
    } else {
      state->error = std::move(ended).error();
    }
    state->decided = any_ || state->error.has_value();
    return !state->decided;
  }

  void Work() {
    while (const auto position = Take()) {
      if (Add(*position, AwaitEnd(client_, refs_[*position], options_, canceller_))) continue;
      canceller_->Cancel();
      return;
    }
  }

  Client& client_;
  const std::vector<JobRef>& refs_;
  const bool any_;
  const AwaitOptions& options_;
  Canceller* const canceller_;
  base::Guarded<State> state_;
};

}  // namespace

Result<std::vector<Ended>> AwaitEnds(Client& client, const std::vector<JobRef>& refs, AwaitWhich which, const AwaitOptions& options,
                                     Canceller* canceller) {
  return Race(client, refs, which, options, canceller).Run();
}

Json ToJson(const Ended& ended) {
  if (ended.ref.index) return EndToJson(ended.ref.correlation_id, *ended.ref.index, ended.result);
  Json json = BatchToJson(ended.batch);
  json["exit_code"] = ended.exit_code;
  return json;
}

Result<Ended> AwaitEnd(Client& client, const JobRef& ref, const AwaitOptions& options, Canceller* canceller) {
  const base::SystemClock clock;
  const Nanos begun = clock.Monotonic();
  Reconnect reconnect(client, options.say);
  if (ref.index) {  // it may have ended long before its batch
    JOBD_ASSIGN_OR_RETURN(std::optional<Ended> ended, EndOfJob(client, ref));
    if (ended) return std::move(*ended);
  }
  while (true) {
    const Nanos left = options.timeout == 0 ? 0 : std::max<Nanos>(options.timeout - (clock.Monotonic() - begun), 1);
    reconnect.Begin();
    Status status = Watch(client, ref, options, left, reconnect, canceller);
    if (canceller->cancelled()) return Error(Code::kCancelled, "cancelled");
    if (status.ok()) {
      if (!ref.index) return EndOfBatch(client, ref);
      JOBD_ASSIGN_OR_RETURN(std::optional<Ended> ended, EndOfJob(client, ref));
      if (ended) return std::move(*ended);
      status = Error(Code::kUnavailable, "the stream ended early");
    }
    if (!reconnect.Again(status.error())) return std::move(status).error();
  }
}

}  // namespace jobd::cli
