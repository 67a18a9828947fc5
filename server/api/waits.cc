#include "server/api/waits.h"

#include "jobd/v1/types.pb.h"
#include "server/api/convert.h"

namespace jobd::server {
namespace {

static_assert(static_cast<int>(worker::WaitCode::kHeld) == jobd::v1::WAIT_CODE_HELD);
static_assert(static_cast<int>(worker::WaitCode::kUserLimit) == jobd::v1::WAIT_CODE_USER_LIMIT);
static_assert(static_cast<int>(worker::WaitCode::kRecovering) == jobd::v1::WaitCode_MAX);

std::string Counted(uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string By(const std::string& who) { return who.empty() ? "" : " by " + who; }

std::string TextOf(const worker::WaitReason& wait, const std::string& owner, bool own) {
  using worker::WaitCode;
  switch (wait.code) {
    case WaitCode::kHeld: return "held" + By(wait.by);
    case WaitCode::kBatchParallel: return "its batch's limit of " + Counted(wait.max, "job", "jobs") + " at once";
    case WaitCode::kUserLimit:
      return (own ? "your" : owner + "'s") + std::string(" limit of ") + Counted(wait.max, "running job", "running jobs");
    case WaitCode::kServiceSlots:
      return wait.max == 1 ? "the one slot is taken" : "all " + std::to_string(wait.max) + " slots are taken";
    case WaitCode::kTurn:
      if (wait.before == 0) return wait.before_at_least ? "others of its batch may be before it" : "it is about to start";
      return (wait.before_at_least ? "more than " : "") + Counted(wait.before, "job", "jobs") + " before it";
    case WaitCode::kServiceStopped: return "the service is stopped" + By(wait.by);
    case WaitCode::kDisk: return "the " + wait.disk + " disk takes nothing: it is full, fails or does not answer";
    case WaitCode::kResource: return "the machine lacked something to start it, and it is tried again: " + wait.lacked;
    case WaitCode::kRecovering:
      return wait.of_service ? "the service is still putting in order what its restart found"
                             : "what is left of its last attempt is being cleaned up";
    default: return "";  // given by no part of the worker yet
  }
}

}  // namespace

worker::WaitQuery WaitsAskedFor(const worker::JobPage& page) {
  worker::WaitQuery query{.batch = page.batch.id, .jobs = {}};
  for (const worker::JobView& job : page.jobs) {
    const worker::JobState state = job.outcome.state;
    // One that has a slot may still wait for a disk.
    using enum worker::JobState;
    if (state != kQueued && state != kHeld && state != kScheduled) continue;
    query.jobs.push_back({.index = job.index, .state = state, .since = job.waits_since, .held_by = job.held_by});
  }
  return query;
}

void SetWait(const worker::WaitReason& wait, const std::string& owner, bool own, jobd::v1::WaitReason* message) {
  message->set_code(static_cast<jobd::v1::WaitCode>(wait.code));
  if (wait.since != 0) SetTime(wait.since, message->mutable_since());
  message->set_text(TextOf(wait, owner, own));
  message->set_by(wait.by);
  message->set_limit(wait.limit);
  message->set_used(wait.used);
  message->set_max(wait.max);
  message->set_before(wait.before);
  message->set_before_at_least(wait.before_at_least);
  message->set_disk(wait.disk);
}

}  // namespace jobd::server
