// The journal on a loop of its own, before a store that the test plays.
#include "worker/run/journal.h"

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "tests/support/await.h"

namespace jobd::worker {
namespace {

// Keeps what it is given; the test says what becomes of it.
class PlayedStore final : public Store {
 public:
  void Submit(NewBatch batch, std::function<void(base::Result<Stored>)>) override {
    Add("submit " + batch.name.correlation_id, {});
  }
  void Apply(std::vector<Write> writes) override { Add("apply", std::move(writes)); }
  std::optional<Problem> FindProblem() const override { return std::nullopt; }
  base::Result<Lease> Read() override { return base::Error(base::Code::kInternal, "nothing to read"); }

  // "apply 2" for two writes.
  std::vector<std::string> calls() const { return state_.Lock()->calls; }
  // Answers everything that was written and not answered yet.
  void Answer(const base::Status& status) {
    std::vector<Write> writes;
    std::swap(writes, state_.Lock()->writes);
    for (const Write& write : writes) write.done(status);
  }
  JobRow LastRow() const { return std::get<PutJob>(state_.Lock()->writes.back().changes.front()).row; }
  size_t waiting() const { return state_.Lock()->writes.size(); }

 private:
  struct State {
    std::vector<std::string> calls;
    std::vector<Write> writes;
  };
  void Add(std::string call, std::vector<Write> writes) {
    const auto state = state_.Lock();
    if (!writes.empty()) call += " " + std::to_string(writes.size());
    state->calls.push_back(std::move(call));
    for (Write& write : writes) state->writes.push_back(std::move(write));
  }
  base::Guarded<State> state_;
};

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() { EXPECT_TRUE(loop_.Start().ok()); }
  ~JournalTest() override {
    loop_.Stop([] {});
  }
  // In one turn of the loop, and waits for its end.
  void Turn(std::function<void()> work) {
    std::promise<void> done;
    loop_.Post([&] {
      work();
      done.set_value();
    });
    test::WaitFor(done.get_future());
  }
  // Behind all that the turns so far have posted. What a turn posts is in the line only when it ends: so this goes through it
  // twice.
  void NextTurn() {
    std::promise<void> done;
    loop_.Post([&] { loop_.Post([&] { done.set_value(); }); });
    test::WaitFor(done.get_future());
  }
  static std::vector<Change> Meta(const std::string& key) { return {PutMeta{.key = key, .value = "x"}}; }
  static JobRow Row(JobState state) { return {.outcome = {.state = state}, .attempt = 1}; }

  static constexpr launch::JobKey kKey{.batch = 1, .index = 2, .attempt = 1};
  PlayedStore store_;
  Loop loop_;
  Journal journal_{store_, loop_};
};

TEST_F(JournalTest, WhatOneTurnAppendsIsOneCommit) {
  Turn([&] {
    journal_.Append(Meta("a"), {});
    journal_.Append(Meta("b"), {});
    EXPECT_TRUE(store_.calls().empty()) << "the turn may append more";
  });
  NextTurn();
  Turn([&] { journal_.Append(Meta("c"), {}); });
  NextTurn();
  EXPECT_EQ(store_.calls(), (std::vector<std::string>{"apply 2", "apply 1"}));
}

TEST_F(JournalTest, AFlushPutsItBeforeWhatIsSubmittedNext) {
  Turn([&] {
    journal_.Append(Meta("a"), {});
    journal_.Flush();
    store_.Submit({.name = {"ann", "b"}}, {});
    journal_.Append(Meta("c"), {});
  });
  NextTurn();
  EXPECT_EQ(store_.calls(), (std::vector<std::string>{"apply 1", "submit b", "apply 1"}));
}

TEST_F(JournalTest, CompletionsComeOnTheLoopInALaterTurnAndInOrder) {
  std::string order;
  Turn([&] {
    journal_.Append(Meta("a"), [&](const base::Status& status) { order += status.ok() ? "a" : "!"; });
    journal_.Append(Meta("b"), [&](const base::Status&) { order += "b"; });
  });
  NextTurn();
  Turn([&] {
    store_.Answer(base::Ok());
    EXPECT_EQ(order, "");
  });
  NextTurn();
  EXPECT_EQ(order, "ab");
}

TEST_F(JournalTest, TheNewestRowOfAnAttemptIsTheOneThatIsSaved) {
  std::string saved;
  Turn([&] { journal_.AppendRow(kKey, Row(JobState::kQueued), [&] { saved += "first "; }); });
  NextTurn();
  Turn([&] { journal_.AppendRow(kKey, Row(JobState::kCancelled), [&] { saved += "second "; }); });
  NextTurn();
  EXPECT_EQ(store_.waiting(), 2u);
  Turn([&] { store_.Answer(base::Ok()); });
  NextTurn();
  EXPECT_EQ(saved, "second ");
}

TEST_F(JournalTest, ARowThatTheDiskDoesNotTakeIsOfferedAgainAsItIsThen) {
  std::promise<void> saved;
  Turn([&] { journal_.AppendRow(kKey, Row(JobState::kHeld), [&] { saved.set_value(); }); });
  NextTurn();
  Turn([&] { store_.Answer(base::Error(base::Code::kResourceExhausted, "the state disk is full")); });
  while (store_.waiting() == 0) NextTurn();
  EXPECT_EQ(store_.LastRow().outcome.state, JobState::kHeld);
  Turn([&] { store_.Answer(base::Error(base::Code::kResourceExhausted, "the state disk is full")); });
  while (store_.waiting() == 0) NextTurn();
  Turn([&] { store_.Answer(base::Ok()); });
  test::WaitFor(saved.get_future());
  for (int i = 0; i < 3; ++i) NextTurn();
  EXPECT_EQ(store_.waiting(), 0u) << "once is enough";
}

}  // namespace
}  // namespace jobd::worker
