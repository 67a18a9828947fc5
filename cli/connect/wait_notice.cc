#include "cli/connect/wait_notice.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/text.h"
#include "cli/connect/client.h"
#include "cli/connect/session.h"
#include "cli/view/progress.h"
#include "cli/view/states.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::cli {

namespace {

constexpr std::chrono::seconds kFirst{1};
constexpr std::chrono::seconds kLongest{30};
constexpr std::chrono::seconds kLongestShown{8};

v1::ExplainRequest RequestFor(const JobRef& ref) {
  v1::ExplainRequest request;
  request.set_correlation_id(ref.correlation_id);
  request.set_owner(ref.owner);
  if (ref.index) request.set_index(*ref.index);
  return request;
}

// So it will say itself.
bool IsAboutToStart(const v1::JobStatus& job) { return job.waits(0).code() == v1::WAIT_CODE_TURN && job.waits(0).before() == 0; }

}  // namespace

WaitNotice::WaitNotice(Session& session, Client& client, JobRef ref) : WaitNotice(session, client, std::move(ref), {}) {}

WaitNotice::WaitNotice(Session& session, Client& client, JobRef ref, Show show)
    : session_(session), client_(client), ref_(std::move(ref)), show_(std::move(show)) {
  if (session.err().is_terminal() && !session.options().quiet) thread_ = std::thread([this] { Run(); });
}

void WaitNotice::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void WaitNotice::Run() {
  for (auto pause = kFirst;; pause = std::min(pause * 2, show_ ? kLongestShown : kLongest)) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, pause, [this] { return stopping_; })) return;
    }
    if (show_ ? !Tell() : !Look()) return;
  }
}

// A question that fails is asked again: what is watched is watched across losses of the link, too.
bool WaitNotice::Tell() {
  v1::ExplainResponse response;
  std::string reason;
  if (client_.ExplainOnce(RequestFor(ref_), &response).ok() && CountJobs(response.batch()).running == 0) {
    for (const v1::JobStatus& job : response.jobs()) {
      if (job.waits().empty() || IsAboutToStart(job)) continue;
      reason = base::EscapeForTerminal(job.waits(0).text());
      break;
    }
  }
  show_(reason);
  return true;
}

bool WaitNotice::Look() {
  const v1::ExplainRequest request = RequestFor(ref_);
  v1::ExplainResponse response;
  if (!client_.ExplainOnce(request, &response).ok()) return false;
  // Of a batch nothing has begun yet: what waits of one that runs is no news.
  const v1::JobState state = response.batch().state();
  if (!ref_.index && state != v1::JOB_STATE_QUEUED && state != v1::JOB_STATE_HELD) return false;
  for (const v1::JobStatus& job : response.jobs()) {
    if (job.waits().empty()) continue;
    if (IsAboutToStart(job)) return true;
    const v1::WaitReason& wait = job.waits(0);
    const std::string reason = WaitName(wait.code());
    if (std::exchange(said_, reason) == reason) return true;
    const bool one = response.batch().job_count() == 1;
    session_.Say((one ? "the job" : "job " + std::to_string(job.index())) + " waits: " + base::EscapeForTerminal(wait.text()));
    return true;
  }
  return false;
}

}  // namespace jobd::cli
