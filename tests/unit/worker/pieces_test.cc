// The small parts: states, outcomes, identifiers, encodings.
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <future>
#include <span>
#include <thread>

#include "base/text.h"
#include "base/token_signer.h"
#include "base/uuid7.h"
#include "worker/logs/log_cursor.h"
#include "worker/model/outcome.h"
#include "worker/model/state_machine.h"
#include "worker/store/spec_codec.h"
#include "worker/watch/waker.h"

namespace jobd::worker {
namespace {

TEST(WakerTest, OneThreadCallsAtATimeAndNothingIsMissed) {
  Waker waker;
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> second = false;
  waker.Arm([&] {
    entered.set_value();
    leave.get_future().wait();
  });
  std::thread first([&] { waker.Notify(); });
  entered.get_future().wait();
  waker.Arm([&] { second = true; });
  waker.Notify();
  EXPECT_FALSE(second) << "while another is being called";
  leave.set_value();
  first.join();
  EXPECT_TRUE(second);
  waker.Disarm();
}

TEST(WakerTest, DisarmWaitsForTheCallUnlessItIsTheCaller) {
  Waker waker;
  std::promise<void> entered;
  std::atomic<bool> left = false;
  waker.Arm([&] {
    waker.Disarm();
    entered.set_value();
    std::this_thread::yield();
    left = true;
  });
  std::thread first([&] { waker.Notify(); });
  entered.get_future().wait();
  waker.Disarm();
  EXPECT_TRUE(left);
  first.join();
}

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

TEST(SpecCodecTest, DamagedBytesAreNoSpec) {
  const std::string good = EncodeSpec({.argv = {"a", "b"}, .env = {{"K", "V"}}, .kill_after = 0});
  EXPECT_EQ(*DecodeSpec(good), (JobSpec{.argv = {"a", "b"}, .env = {{"K", "V"}}, .kill_after = 0}));
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(DecodeSpec(good.substr(0, size)).ok());
  EXPECT_FALSE(DecodeSpec(good + "x").ok());
  EXPECT_EQ(good[0], 1) << "what older services stored is written the same, or a repeated submission would be another";
  const JobSpec limited{
      .argv = {"a"},
      .limits = {.file_bytes = 1, .open_files = 2, .tmp_bytes = 3, .io_read_bytes_per_second = 4, .io_write_bytes_per_second = 5}};
  const std::string later = EncodeSpec(limited);
  EXPECT_EQ(*DecodeSpec(later), limited);
  for (size_t size = 0; size < later.size(); ++size) EXPECT_FALSE(DecodeSpec(later.substr(0, size)).ok());
  EXPECT_FALSE(DecodeSpec("\x03" + good.substr(1)).ok()) << "of a newer service";
}

TEST(SpecCodecTest, FingerprintSeesEverythingButTheId) {
  const std::vector<JobSpec> jobs = {{.argv = {"a"}}};
  const std::string base = Fingerprint({.correlation_id = "1"}, jobs);
  EXPECT_EQ(base, Fingerprint({.correlation_id = "2"}, jobs));
  EXPECT_NE(base, Fingerprint({.name = "n"}, jobs));
  EXPECT_NE(base, Fingerprint({}, {{.argv = {"a"}, .stdin_data = "x"}}));
  EXPECT_NE(base, Fingerprint({}, {{.argv = {"a", ""}}}));
  EXPECT_NE(base, Fingerprint({}, {{.argv = {"a"}}, {.argv = {"a"}}}));
}

TEST(SpecCodecTest, FingerprintIsThatOfServicesBefore) {
  const BatchOptions options{.name = "n", .labels = {{"k", "v"}}, .parallel = 3, .fail_fast = true, .priority = Priority::kUrgent};
  const std::vector<JobSpec> jobs = {
      {.argv = {"a", std::string(300, 'b')}, .name = "j", .env = {{"K", "V"}}, .stdin_data = std::string("in\0put", 6)},
      {.argv = {"c"}, .shell = true, .workdir = "/", .kill_after = 5, .limits = {.pids = 9, .tmp_bytes = 1 << 20}, .retries = 2}};
  const std::string digest = Fingerprint(options, jobs);
  EXPECT_EQ(base::Hex(std::as_bytes(std::span(digest))), "226d06d52132a05b114a705a2954f1a4cbcadc39046018c515da2a658067490f")
      << "a submission that is repeated after an upgrade would be another";
}

TEST(CursorTest, TornCursorsAreRefused) {
  LogCursor cursor{.last_start = 99, .ends_after = 3};
  cursor.open[5] = {.attempt = 2, .position = {.record = 7, .out = LogPosition::kUnknown, .err = 4}};
  const std::string bytes = EncodeCursor(cursor);
  EXPECT_EQ(DecodeCursor(bytes), cursor);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeCursor(bytes.substr(0, size)));
}

TEST(TokenSignerTest, AlteredOrMovedTextsAreRefused) {
  const base::TokenSigner signer(std::string(32, 'k'));
  const std::string text = signer.Sign("here", "payload");
  EXPECT_EQ(*signer.Verify("here", text, "f"), "payload");
  EXPECT_FALSE(signer.Verify("there", text, "f").ok());
  EXPECT_FALSE(base::TokenSigner(std::string(32, 'x')).Verify("here", text, "f").ok());
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    std::string altered = text;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(signer.Verify("here", altered, "f").ok());
  }
}

TEST(Uuid7Test, OrderedByTimeAndWellFormed) {
  const std::string first = base::MakeUuid7(1'700'000'000ll * base::kNanosPerSecond);
  const std::string second = base::MakeUuid7(1'700'000'001ll * base::kNanosPerSecond);
  EXPECT_EQ(first.size(), 36u);
  EXPECT_EQ(first[14], '7');
  EXPECT_LT(first, second);
}

}  // namespace
}  // namespace jobd::worker
