// What a new process makes of live rows: one test per line of the table in restart.cc.
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <boost/crc.hpp>
#include <span>

#include "base/wire.h"
#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {
namespace {

using base::ExitStatus;
using launch::Phase;

class WorkerRestartTest : public WorkerTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Open().ok());
    ASSERT_TRUE(Submit("b", Jobs(1)).ok());
    key_ = launcher_->WaitLaunched(1).key;
  }
  launch::JobKey key_;
};

// A process that holds the lock of a slot, as a shim does.
class LockHolder {
 public:
  LockHolder(int log_dir, const std::string& folder, uint32_t index) {
    int ready[2];
    if (::pipe(ready) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      const int file = ::openat(log_dir, (folder + "/exits").c_str(), O_RDWR);
      struct flock lock {};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      lock.l_start = static_cast<off_t>(launch::SlotOffset(index));
      lock.l_len = launch::kSlotSize;
      const char byte = ::fcntl(file, F_SETLK, &lock) == 0 ? 'y' : 'n';
      (void)!::write(ready[1], &byte, 1);
      for (;;) ::pause();
    }
    char byte = 0;
    (void)!::read(ready[0], &byte, 1);
    ok_ = byte == 'y';
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~LockHolder() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  bool ok() const { return ok_; }

 private:
  pid_t pid_ = -1;
  bool ok_ = false;
};

TEST_F(WorkerRestartTest, EndWrittenWhileAwayIsImported) {
  worker_.reset();
  launcher_->Slot(key_, {.phase = Phase::kEnded, .attempt = 1, .started_at = 7, .ended_at = 9, .exit = ExitStatus::Exited(4)});
  Restart();
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.exit_code, 4);
  EXPECT_EQ(Job("b", 1).ended_at, 9);
  EXPECT_EQ(launcher_->launched(), 0u);
}

TEST_F(WorkerRestartTest, LivingShimIsWatchedAgain) {
  worker_.reset();
  launcher_->Slot(key_, {.phase = Phase::kRunning, .attempt = 1, .started_at = 7});
  const LockHolder shim(logs_.get(), "ann/b", 1);
  ASSERT_TRUE(shim.ok());
  Restart();
  EXPECT_EQ(launcher_->watched(), std::vector<launch::JobKey>{key_});
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kRunning);
  launcher_->Exit(key_, ExitStatus::Exited(0));
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kSucceeded);
}

TEST_F(WorkerRestartTest, JobThatProvablyNeverStartedStartsAgainUnderTheSameNumber) {
  Restart();
  EXPECT_EQ(launcher_->WaitLaunched(1).key, key_);
  EXPECT_EQ(launcher_->swept(), std::vector<launch::JobKey>{key_});
}

// The old launcher's last shim may get as far as its job between our look at the lock and the sweep.
TEST_F(WorkerRestartTest, JobThatBeganAfterTheLookIsLostAndNotStartedAgain) {
  worker_.reset();
  launcher_ = std::make_unique<FakeLauncher>(logs_.get());
  launcher_->OnSweep([this](launch::JobKey key) {
    FakeLauncher::WriteSlot(logs_.get(), "ann/b", 1, {.phase = Phase::kRunning, .attempt = key.attempt, .started_at = 1});
  });
  ASSERT_TRUE(Open().ok());
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kLost);
  EXPECT_EQ(Job("b", 1).outcome.reason.code, ReasonCode::kShimDied);
  EXPECT_EQ(launcher_->launched(), 0u);
}

TEST_F(WorkerRestartTest, RecordThatIsDamagedWhileSweptMakesTheJobLost) {
  worker_.reset();
  launcher_ = std::make_unique<FakeLauncher>(logs_.get());
  launcher_->OnSweep([this](launch::JobKey) {
    const base::Fd file(::openat(logs_.get(), "ann/b/exits", O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(base::PwriteAll(file.get(), std::as_bytes(std::span("garbage")), launch::SlotOffset(1)).ok());
  });
  ASSERT_TRUE(Open().ok());
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kLost);
  EXPECT_EQ(Job("b", 1).outcome.reason.code, ReasonCode::kRecordDamaged);
  EXPECT_EQ(launcher_->launched(), 0u);
}

TEST_F(WorkerRestartTest, JobWhoseShimIsGoneIsLost) {
  worker_.reset();
  launcher_->Slot(key_, {.phase = Phase::kBorn, .attempt = 1});
  Restart();
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kLost);
  EXPECT_EQ(Job("b", 1).outcome.reason.code, ReasonCode::kShimDied);
  EXPECT_EQ(launcher_->launched(), 0u);
}

TEST_F(WorkerRestartTest, DamagedOrMissingExitFileMakesTheJobLostNotStartedAgain) {
  for (const bool missing : {false, true}) {
    worker_.reset();
    const auto file = dir_ / "logs/ann/b/exits";
    if (missing) {
      std::filesystem::remove(file);
    } else {
      std::filesystem::resize_file(file, 3);
    }
    Restart();
    UntilEnded("b");
    EXPECT_EQ(Job("b", 1).outcome.reason.code, ReasonCode::kRecordDamaged);
    EXPECT_EQ(launcher_->launched(), 0u);
    ASSERT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}}, true, done); }), 1u);
    launcher_->WaitLaunched(1);
  }
}

TEST_F(WorkerRestartTest, RecordOfALaterVersionStopsTheStartAndDecidesNothing) {
  worker_.reset();
  const auto write = [&](const launch::SlotBytes& record) {
    const base::Fd file(::openat(logs_.get(), "ann/b/exits", O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(base::PwriteAll(file.get(), record, launch::SlotOffset(1)).ok());
  };
  const auto ours = launch::EncodeSlot({.phase = Phase::kEnded, .attempt = 1, .exit = ExitStatus::Exited(4)});
  // FORMAT.md: the version and the check keep their places in every version.
  auto later = ours;
  base::StoreLittle<uint16_t>(std::span(later).subspan(4), launch::kSlotVersion + 1);
  boost::crc_32_type crc;
  crc.process_bytes(later.data(), 252);
  base::StoreLittle<uint32_t>(std::span(later).subspan(252), crc.checksum());
  write(later);
  const base::Status opened = Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), base::Code::kFailedPrecondition);
  EXPECT_EQ(opened.error().message(), "exit record of version 2, newer than ours");
  write(ours);
  Restart();
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.exit_code, 4);
}

TEST_F(WorkerRestartTest, AnotherBootMakesUnaccountedJobsLostAndImportsRecords) {
  ASSERT_TRUE(Submit("c", Jobs(1)).ok());
  const auto other = launcher_->WaitLaunched(2).key;
  worker_.reset();
  launcher_->Slot(other, {.phase = Phase::kEnded, .attempt = 1, .started_at = 7, .ended_at = 9, .exit = ExitStatus::Exited(0)});
  ASSERT_TRUE(Database::Open(dir_ / "state/jobd.db", false)->Execute("UPDATE meta SET value = x'31' WHERE key = 'boot'").ok());
  Restart();
  UntilEnded("b");
  UntilEnded("c");
  EXPECT_EQ(Job("b", 1).outcome.reason.code, ReasonCode::kHostRestarted);
  EXPECT_EQ(Job("c", 1).outcome.state, JobState::kSucceeded);
  EXPECT_EQ(launcher_->launched(), 0u);
}

TEST_F(WorkerRestartTest, PowerFailureLosesOnlyWhatHadASlot) {
  ASSERT_TRUE(Submit("q", Jobs(6)).ok());
  launcher_->WaitLaunched(2);
  (void)Cancel("q", 6);  // goes through a commit behind whatever the launches led to
  worker_.reset();
  ASSERT_TRUE(Database::Open(dir_ / "state/jobd.db", false)->Execute("UPDATE meta SET value = x'31' WHERE key = 'boot'").ok());
  Restart(true);
  UntilEnded("q");
  EXPECT_EQ(Batch("q").counts,
            (std::map<JobState, uint32_t>{{JobState::kSucceeded, 4}, {JobState::kCancelled, 1}, {JobState::kLost, 1}}));
  EXPECT_EQ(Job("q", 1).outcome.state, JobState::kLost);
}

TEST_F(WorkerRestartTest, CancelThatWasRecordedIsRepeated) {
  launcher_->Running(key_);
  ASSERT_EQ(Cancel("b")->stopping, 1u);
  worker_.reset();
  const LockHolder shim(logs_.get(), "ann/b", 1);
  Restart();
  EXPECT_EQ(launcher_->WaitCancelled(1), key_);
  launcher_->Exit(key_, ExitStatus::Signaled(15), launch::EndCause::kCancel);
  UntilEnded("b");
  EXPECT_EQ(Job("b", 1).outcome.reason.text, "cancelled by bob: enough");
}

TEST_F(WorkerRestartTest, QueuedHeldAndEndedJobsStayWhatTheyWere) {
  ASSERT_TRUE(Submit("q", Jobs(8)).ok());
  launcher_->WaitLaunched(2);
  ASSERT_EQ(Cancel("q", 7)->cancelled, 1u);
  ASSERT_EQ(*Await<uint32_t>([&](auto done) { worker_->Hold({.batch = {"ann", "q"}, .index = 8}, done); }), 1u);
  launcher_->Exit(key_, ExitStatus::Exited(0));
  UntilEnded("b");
  Restart(true);
  Until("q", [&] { return Batch("q").counts[JobState::kSucceeded] >= 4; });
  EXPECT_EQ(Job("q", 7).outcome.state, JobState::kCancelled);
  EXPECT_EQ(Job("q", 8).outcome.state, JobState::kHeld);
}

}  // namespace
}  // namespace jobd::worker
