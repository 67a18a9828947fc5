#include "cli/verbs/await.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "base/guarded.h"
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

// The exit code of one job; nothing while it has not ended.
Result<std::optional<int>> CodeOfJob(Client& client, const JobRef& ref) {
  v1::GetBatchResponse response;
  JOBD_RETURN_IF_ERROR(client.GetBatch(Request(ref), &response));
  for (const v1::JobStatus& job : response.jobs()) {
    if (job.index() != *ref.index) continue;
    if (!IsFinal(job.result().state())) return std::optional<int>();
    return std::optional<int>(ExitCodeOf(job.result()));
  }
  return Error(Code::kNotFound, ref.ToString() + ": there is no such job");
}

Result<int> LargestCode(Client& client, const JobRef& ref) {
  v1::GetBatchRequest request = Request(ref);
  for (const v1::JobState state : FailureStates()) request.add_states(state);  // all others exited 0
  LargestExitCode largest;
  while (true) {
    v1::GetBatchResponse response;
    JOBD_RETURN_IF_ERROR(client.GetBatch(request, &response));
    for (const v1::JobStatus& job : response.jobs()) largest.Add(job.result());
    if (response.next_page_token().empty()) return largest.code();
    request.set_page_token(response.next_page_token());
  }
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
  Race(Client& client, const std::vector<JobRef>& refs, AwaitWhich which, const AwaitOptions& options)
      : client_(client), refs_(refs), any_(which == AwaitWhich::kAny), options_(options) {}

  Result<int> Run() {
    // With kAny every ref needs a stream at once. With kAll the ends may be seen in any order.
    const size_t wanted = any_ ? refs_.size() : std::min(refs_.size(), kMaxAwaitAny);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < wanted; ++i) threads.emplace_back([this] { Work(); });
    for (std::thread& thread : threads) thread.join();
    const auto state = state_.Lock();
    if (state->error) return std::move(*state->error);
    return state->largest;
  }

 private:
  struct State {
    size_t next = 0;       // the first ref that no thread has taken
    bool decided = false;  // the answer is known
    int largest = kExitOk;
    std::optional<Error> error;
  };

  const JobRef* Take() {
    const auto state = state_.Lock();
    if (state->decided || state->next == refs_.size()) return nullptr;
    return &refs_[state->next++];
  }

  // Takes a result in. False when the answer is known, and nobody waits any longer.
  bool Add(Result<int> code) {
    const auto state = state_.Lock();
    if (state->decided) return false;
    if (code.ok()) {
      state->largest = std::max(state->largest, *code);
    } else {
      state->error = std::move(code).error();
    }
    state->decided = any_ || state->error.has_value();
    return !state->decided;
  }

  void Work() {
    while (const JobRef* ref = Take()) {
      if (Add(AwaitEnd(client_, *ref, options_, &canceller_))) continue;
      canceller_.Cancel();
      return;
    }
  }

  Client& client_;
  const std::vector<JobRef>& refs_;
  const bool any_;
  const AwaitOptions& options_;
  Canceller canceller_;
  base::Guarded<State> state_;
};

}  // namespace

Result<int> AwaitEnds(Client& client, const std::vector<JobRef>& refs, AwaitWhich which, const AwaitOptions& options) {
  return Race(client, refs, which, options).Run();
}

Result<int> AwaitEnd(Client& client, const JobRef& ref, const AwaitOptions& options, Canceller* canceller) {
  const base::SystemClock clock;
  const Nanos begun = clock.Monotonic();
  Reconnect reconnect(client, options.say);
  if (ref.index) {  // it may have ended long before its batch
    JOBD_ASSIGN_OR_RETURN(const std::optional<int> code, CodeOfJob(client, ref));
    if (code) return *code;
  }
  while (true) {
    const Nanos left = options.timeout == 0 ? 0 : std::max<Nanos>(options.timeout - (clock.Monotonic() - begun), 1);
    reconnect.Begin();
    Status status = Watch(client, ref, options, left, reconnect, canceller);
    if (canceller->cancelled()) return Error(Code::kCancelled, "cancelled");
    if (status.ok()) {
      if (!ref.index) return LargestCode(client, ref);
      JOBD_ASSIGN_OR_RETURN(const std::optional<int> code, CodeOfJob(client, ref));
      if (code) return *code;
      status = Error(Code::kUnavailable, "the stream ended early");
    }
    if (!reconnect.Again(status.error())) return std::move(status).error();
  }
}

}  // namespace jobd::cli
