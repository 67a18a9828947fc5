// A loop that only lends batches: the test says which of them live, and when it answers.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "worker/run/upkeep.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Thread-safe. It answers on the thread that asks; a test that has it hold its answers gives them later, from its own.
class FakeLender final : public BatchLender {
 public:
  explicit FakeLender(Store& store) : store_(store) {}

  void Borrow(std::vector<Candidate> candidates, BatchUse use, std::function<void(std::vector<Lending>)> done) override {
    std::function<void()> then;
    {
      auto state = state_.Lock();
      std::vector<Lending> answers;
      for (const Candidate& candidate : candidates) answers.push_back(AnswerFor(*state, candidate));
      state->events.emplace_back(use == BatchUse::kRemoval ? "borrow to remove" : "borrow to compress");
      auto answer = [done = std::move(done), answers] { done(answers); };
      if (state->holding) {
        state->held.push_back(std::move(answer));
      } else {
        then = std::move(answer);
      }
    }
    changed_.notify_all();
    if (then) then();
    if (on_lent_) on_lent_(use);
  }

  void GiveBack(std::vector<uint64_t> batches, std::vector<Change> changes, std::function<void(base::Status)> done) override {
    bool fail = false;
    {
      auto state = state_.Lock();
      for (const uint64_t batch : batches) state->out.erase(batch);
      fail = state->failures > 0 && !batches.empty();
      if (fail) --state->failures;
      state->events.emplace_back(batches.empty() ? "commit" : "give back " + std::to_string(changes.size()));
    }
    changed_.notify_all();
    if (fail) return done(base::Error(base::Code::kUnavailable, "the disk failed"));
    store_.Apply({Write{.changes = std::move(changes), .done = std::move(done)}});
  }

  void SetBusy(uint64_t batch) { state_.Lock()->busy.insert(batch); }
  void SetFree(uint64_t batch) { state_.Lock()->busy.erase(batch); }
  // So many commits of what was lent will fail.
  void FailCommits(int count) { state_.Lock()->failures = count; }
  void Hold() { state_.Lock()->holding = true; }
  // Gives the answers it held, and holds no more.
  void Answer() {
    std::vector<std::function<void()>> held;
    {
      auto state = state_.Lock();
      state->holding = false;
      held.swap(state->held);
    }
    for (const auto& answer : held) answer();
  }
  // Called behind each answer, on the thread that asked. Set before anybody asks.
  void OnLent(std::function<void(BatchUse)> on_lent) { on_lent_ = std::move(on_lent); }

  // Everything that was asked, in order.
  std::vector<std::string> events() const { return state_.Lock()->events; }
  void AddEvent(const std::string& event) {
    state_.Lock()->events.push_back(event);
    changed_.notify_all();
  }
  void AwaitEvent(const std::string& event) {
    auto state = state_.Lock();
    state.Wait(changed_, [&] {
      for (const std::string& one : state->events) {
        if (one == event) return true;
      }
      return false;
    });
  }
  bool any_out() const { return !state_.Lock()->out.empty(); }

 private:
  struct State {
    std::set<uint64_t> busy;
    std::set<uint64_t> out;
    int failures = 0;
    bool holding = false;
    std::vector<std::function<void()>> held;
    std::vector<std::string> events;
  };
  Lending AnswerFor(State& state, const Candidate& candidate) {
    const auto reader = store_.Read<RetentionReader>();
    const auto now = (*reader)->Batch(candidate.batch);
    if (!now.ok() || now->ended_at != candidate.ended_at) return Lending::kGone;
    if (state.busy.contains(candidate.batch) || state.out.contains(candidate.batch)) return Lending::kBusy;
    state.out.insert(candidate.batch);
    return Lending::kLent;
  }

  Store& store_;
  base::Guarded<State> state_;
  std::condition_variable changed_;
  std::function<void(BatchUse)> on_lent_;
};

}  // namespace jobd::worker
