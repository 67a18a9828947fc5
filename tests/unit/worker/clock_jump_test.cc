// Somebody sets the wall clock a day back, or ten years on. The times that are shown jump with it, and nothing else does.
#include <gtest/gtest.h>

#include "tests/unit/worker/worker_fixture.h"

namespace jobd::worker {
namespace {

using base::ExitStatus;
using launch::Stream;

constexpr base::Nanos kDay = 86'400 * base::kNanosPerSecond;

class ClockJumpTest : public WorkerTest, public ::testing::WithParamInterface<base::Nanos> {
 protected:
  void SetUp() override { ASSERT_TRUE(Open().ok()); }
  void Jump() { clock_.JumpWall(GetParam()); }
  std::string Text() {
    auto session = worker_->OpenLogs({.batch = {"ann", "b"}});
    EXPECT_TRUE(session.ok());
    std::string text;
    for (bool finished = !session.ok(); !finished;) {
      const auto page = (*session)->Read(65536);
      EXPECT_TRUE(page.ok());
      if (!page.ok()) break;
      for (const auto& chunk : page->chunks) text += chunk.data;
      finished = page->finished;
    }
    return text;
  }
};
INSTANTIATE_TEST_SUITE_P(By, ClockJumpTest, ::testing::Values(-kDay, 3653 * kDay),
                         [](const auto& by) { return by.param < 0 ? "ADayBack" : "TenYearsOn"; });

TEST_P(ClockJumpTest, NoJobIsEndedDelayedOrLost) {
  std::vector<JobSpec> jobs = Jobs(4);
  for (JobSpec& job : jobs) job.timeout = 60 * base::kNanosPerSecond;
  ASSERT_TRUE(Submit("b", jobs).ok());
  const auto one = launcher_->WaitLaunched(1);
  const auto two = launcher_->WaitLaunched(2);
  launcher_->Running(one.key);
  UntilState("b", one.key.index, JobState::kRunning);
  Jump();
  launcher_->Exit(one.key, ExitStatus::Exited(0));
  launcher_->Exit(two.key, ExitStatus::Exited(0));
  launcher_->Exit(launcher_->WaitLaunched(3).key, ExitStatus::Exited(0));
  launcher_->Exit(launcher_->WaitLaunched(4).key, ExitStatus::Exited(0));
  UntilEnded("b");
  EXPECT_EQ(Batch("b").state, JobState::kSucceeded);
  EXPECT_EQ(launcher_->cancelled(), 0u) << "a deadline is the shim's, and monotonic";
}

TEST_P(ClockJumpTest, ARestartFindsEverythingAsItWas) {
  ASSERT_TRUE(Submit("b", Jobs(2)).ok());
  const auto ended = launcher_->WaitLaunched(1);
  const auto live = launcher_->WaitLaunched(2);
  launcher_->Exit(ended.key, ExitStatus::Exited(1));
  UntilState("b", ended.key.index, JobState::kFailed);
  Jump();
  Restart(false, {{live.key, launch::SlotRecord{.started_at = 7, .ended_at = 9}}});
  UntilEnded("b");
  EXPECT_EQ(Job("b", ended.key.index).outcome.state, JobState::kFailed);
  EXPECT_EQ(Job("b", live.key.index).outcome.state, JobState::kSucceeded);
}

TEST_P(ClockJumpTest, BatchesAreListedInTheOrderOfTheirSubmission) {
  ASSERT_TRUE(Submit("first", Jobs(1)).ok());
  Jump();
  ASSERT_TRUE(Submit("second", Jobs(1)).ok());
  const auto page = worker_->ListBatches({.owner = "ann"});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->batches.size(), 2u);
  EXPECT_EQ(page->batches[0].name.correlation_id, "second");
}

TEST_P(ClockJumpTest, OutputKeepsItsOrder) {
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  launcher_->WaitLaunched(1);
  FakeOutput output(logs_.get(), "ann/b", 1);
  const base::Nanos before = clock_.Realtime();
  output.Write(Stream::kOut, "1", before);
  output.Write(Stream::kErr, "2", before + 1);
  Jump();
  output.Write(Stream::kErr, "3", clock_.Realtime());
  output.Write(Stream::kOut, "4", clock_.Realtime());
  EXPECT_EQ(Text(), "1234");
}

TEST_P(ClockJumpTest, ALaterAttemptsOutputComesLater) {
  ASSERT_TRUE(Submit("b", Jobs(1, 1)).ok());
  const auto first = launcher_->WaitLaunched(1);
  FakeOutput output(logs_.get(), "ann/b", 1);
  output.Write(Stream::kOut, "first ", clock_.Realtime());
  Jump();
  launcher_->Exit(first.key, ExitStatus::Exited(1));
  const auto second = launcher_->WaitLaunched(2);
  output.Write(Stream::kOut, "second", clock_.Realtime());
  launcher_->Exit(second.key, ExitStatus::Exited(0));
  UntilEnded("b");
  EXPECT_EQ(Text(), "first second");
}

}  // namespace
}  // namespace jobd::worker
