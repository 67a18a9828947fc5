#include "worker/run/answer_guard.h"

#include <algorithm>
#include <chrono>

#include "base/thread_name.h"

namespace jobd::worker {

AnswerGuard::AnswerGuard(Loop& loop, const Store& store, base::Nanos within)
    : loop_(loop), store_(store), within_(within), thread_([this] { Run(); }) {}

AnswerGuard::~AnswerGuard() {
  state_.Lock()->stopping = true;
  wake_.notify_one();
  thread_.join();
}

void AnswerGuard::Watch(const std::shared_ptr<Call>& call) {
  call->deadline = clock_.Monotonic() + within_;
  bool wake = false;
  {
    const auto state = state_.Lock();
    // The answered ones go here, so that the line is never longer than what is under way.
    while (!state->calls.empty() && state->calls.front()->answered.load()) state->calls.pop_front();
    state->calls.push_back(call);
    wake = std::exchange(state->asleep, false);
  }
  if (wake) wake_.notify_one();
}

void AnswerGuard::Run() {
  base::NameThisThread("guard");
  for (;;) {
    std::shared_ptr<Call> due;
    {
      auto state = state_.Lock();
      const auto front_is_due = [&] {
        return state->stopping || (!state->calls.empty() && state->calls.front()->deadline <= clock_.Monotonic());
      };
      while (!front_is_due()) {
        if (state->calls.empty()) {
          state->asleep = true;
          state.Wait(wake_, [&] { return state->stopping || !state->calls.empty(); });
        } else {
          const base::Nanos left = state->calls.front()->deadline - clock_.Monotonic();
          state.WaitFor(wake_, std::chrono::nanoseconds(std::max<base::Nanos>(left, 0)), front_is_due);
        }
      }
      if (state->stopping) return;
      due = std::move(state->calls.front());
      state->calls.pop_front();
    }
    if (!due->answered.load()) Look(due);
  }
}

void AnswerGuard::Look(const std::shared_ptr<Call>& call) {
  const auto problem = store_.FindProblem();
  if (call->probe && heard_->load() < *call->probe) {
    if (call->past_loop) call->past_loop();
    return call->fail(base::Error(base::Code::kUnavailable,
                                  "the service does not answer: the state disk or the log disk hangs; what was asked for may "
                                  "still come about when it is back"));
  }
  if (problem && problem->kind == Store::Problem::Kind::kHangs) {
    return call->fail(base::Error(base::Code::kUnavailable,
                                  problem->error.message() + "; what was asked for may still come about when it is back"));
  }
  if (call->probe) {  // the loop is well, and what it does takes long
    call->probe.reset();
    return Rearm(call, within_);
  }
  call->probe = ++probes_;
  loop_.Post([heard = heard_, probe = *call->probe] { heard->store(probe); });
  Rearm(call, within_ / 4);
}

void AnswerGuard::Rearm(const std::shared_ptr<Call>& call, base::Nanos after) {
  call->deadline = clock_.Monotonic() + after;
  const auto state = state_.Lock();
  const auto at = std::upper_bound(state->calls.begin(), state->calls.end(), call->deadline,
                                   [](base::Nanos deadline, const auto& other) { return deadline < other->deadline; });
  state->calls.insert(at, call);
}

}  // namespace jobd::worker
