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

TEST(OutcomeTest, FaultC5AFailedStartNamesTheThing) {
  const auto text = [](launch::Step step, int why, const Bounds& as) { return StartFailed(launch::StepText(step), why, as).text; };
  const auto run = [&](const char* program, int why = ENOENT) { return text(launch::Step::kExec, why, {.program = program}); };
  EXPECT_EQ(run("no-such-program"), "no-such-program: No such file or directory in the job's PATH");
  EXPECT_EQ(run("echo hi | wc"), "echo hi | wc: No such file or directory; a command line for the shell needs --shell");
  EXPECT_EQ(run("/x.sh"), "/x.sh: No such file or directory (or its interpreter, which its first line names)");
  EXPECT_TRUE(run("./x.sh").ends_with("; a job works where --workdir says"));
  EXPECT_EQ(run("/x.sh", EACCES), "/x.sh: Permission denied");
  EXPECT_EQ(text(launch::Step::kExec, ENOENT, {}), "executing the program: No such file or directory") << "a shell's";
  EXPECT_EQ(text(launch::Step::kWorkdir, ENOENT, {.workdir = "/w"}), "working directory /w: No such file or directory");
  EXPECT_EQ(text(launch::Step::kWorkdir, ENOENT, {}), "changing to the working directory: No such file or directory");
  EXPECT_EQ(run("\x1b[2J\xff"), "\\x1b[2J\\xff: No such file or directory in the job's PATH") << "any bytes, as text";
  EXPECT_LT(run(std::string(4000, 'x').c_str()).size(), 300u);
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
