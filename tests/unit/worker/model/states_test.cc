// The states of a job, and how it ends.
#include <gtest/gtest.h>

#include <csignal>

#include "worker/model/outcome.h"
#include "worker/model/state_machine.h"

namespace jobd::worker {
namespace {

TEST(StateMachineTest, FinalStatesNeverChange) {
  for (size_t from = 7; from < kJobStates; ++from) {
    for (size_t to = 0; to <= kJobStates; ++to) {
      EXPECT_FALSE(MayMove(static_cast<JobState>(from), static_cast<JobState>(to)));
      EXPECT_EQ(MayMove(static_cast<JobState>(from), static_cast<JobState>(to), Move::kNewAttempt),
                static_cast<JobState>(to) == JobState::kQueued);
    }
  }
}

TEST(StateMachineTest, LiveStatesMoveAsTheTableSays) {
  EXPECT_TRUE(MayMove(JobState::kQueued, JobState::kStarting));
  EXPECT_TRUE(MayMove(JobState::kStarting, JobState::kQueued));
  EXPECT_TRUE(MayMove(JobState::kStopping, JobState::kSucceeded));
  EXPECT_FALSE(MayMove(JobState::kHeld, JobState::kStarting));
  EXPECT_FALSE(MayMove(JobState::kStopping, JobState::kQueued));
  EXPECT_FALSE(MayMove(JobState::kQueued, JobState::kQueued, Move::kNewAttempt));
  EXPECT_FALSE(MayMove(JobState::kRunning, JobState::kStarting));
}

launch::SlotRecord Record(launch::EndCause cause, base::ExitStatus exit) {
  return {.phase = launch::Phase::kEnded, .cause = cause, .exit = exit};
}

TEST(OutcomeTest, WordsOfEveryEnd) {
  using base::ExitStatus;
  using launch::EndCause;
  const Bounds bounds{.timeout = 2 * base::kNanosPerSecond, .limits = {.memory_bytes = 64 << 20}};
  const auto text = [&](EndCause cause, ExitStatus exit) { return OutcomeOf(Record(cause, exit), {}, bounds).reason.text; };
  EXPECT_EQ(text(EndCause::kSelf, ExitStatus::Exited(3)), "exit 3");
  EXPECT_EQ(text(EndCause::kSelf, ExitStatus::Signaled(11)), "killed by SIGSEGV");
  EXPECT_EQ(text(EndCause::kTimeout, ExitStatus::Signaled(15)), "timed out after 2s");
  EXPECT_EQ(text(EndCause::kMemoryLimit, ExitStatus::Signaled(9)), "memory limit of 64 MiB reached");
  EXPECT_EQ(text(EndCause::kCancel, ExitStatus::Exited(0)), "cancelled");
  EXPECT_EQ(OutcomeOf(Record(EndCause::kCancel, ExitStatus::Exited(0)), CancelledByUser("ann", "oops"), bounds).reason.text,
            "cancelled by ann: oops");
  auto failed = Record(EndCause::kSetupFailed, {});
  failed.step = launch::Step::kWorkdir;
  failed.step_errno = ENOENT;
  const Outcome outcome = OutcomeOf(failed, {}, bounds);
  EXPECT_EQ(outcome.state, JobState::kFailed);
  EXPECT_FALSE(outcome.exit_code || outcome.signal);
  EXPECT_EQ(outcome.reason.errno_name, "ENOENT");
  EXPECT_EQ(outcome.reason.text, std::string(launch::StepText(launch::Step::kWorkdir)) + ": No such file or directory");
}

TEST(OutcomeTest, OnlyAWitnessedZeroSucceeds) {
  using launch::EndCause;
  for (const EndCause cause :
       {EndCause::kSetupFailed, EndCause::kTimeout, EndCause::kCancel, EndCause::kMemoryLimit, EndCause::kShimError}) {
    EXPECT_NE(OutcomeOf(Record(cause, base::ExitStatus::Exited(0)), {}, {}).state, JobState::kSucceeded);
  }
  EXPECT_EQ(OutcomeOf(Record(EndCause::kSelf, base::ExitStatus::Exited(0)), {}, {}).state, JobState::kSucceeded);
}

TEST(OutcomeTest, TheFileSizeLimitIsNamed) {
  const Bounds bounds{.limits = {.file_bytes = 1 << 20}};
  const auto reason = [](base::ExitStatus exit, const Bounds& within) {
    return OutcomeOf(Record(launch::EndCause::kSelf, exit), {}, within).reason;
  };
  EXPECT_EQ(reason(base::ExitStatus::Signaled(SIGXFSZ), bounds).code, ReasonCode::kFileSizeLimit);
  EXPECT_EQ(reason(base::ExitStatus::Signaled(SIGXFSZ), bounds).text, "file size limit of 1 MiB reached");
  EXPECT_EQ(reason(base::ExitStatus::Signaled(SIGXFSZ), {}).text, "file size limit reached") << "the profile's";
  EXPECT_EQ(reason(base::ExitStatus::Exited(128 + SIGXFSZ), bounds).code, ReasonCode::kFileSizeLimit) << "as a shell tells it";
  EXPECT_EQ(reason(base::ExitStatus::Exited(128 + SIGXFSZ), {}).code, ReasonCode::kExited);
}

}  // namespace
}  // namespace jobd::worker
