// Backup, restoration and recovery: what is refused, and what comes back.
#include "worker/store/backup.h"

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/files.h"
#include "tests/unit/worker/few_descriptors.h"
#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/recover.h"
#include "worker/store/schema.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {
namespace {

namespace fs = std::filesystem;
using base::Code;

class BackupTest : public WorkerTest {
 protected:
  BackupTest() : target_(dir_.Open("backup")) { launcher_->RunAtOnce(); }
  fs::path DatabaseFile() const { return dir_ / "state/jobd.db"; }
  fs::path Copy() const { return dir_ / "backup/jobd.db"; }
  base::Result<BackupFigures> Restore(bool replace = false) {
    const base::Fd copy(::open(Copy().c_str(), O_RDONLY | O_CLOEXEC));
    const std::string mark = base::ReadFile(target_.get(), kBackupMark).value();
    return RestoreState(state_.get(), copy.get(), mark, replace, aside_);
  }
  std::vector<std::string> FilesOf(const std::string& dir) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir_ / dir)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  void RunOne(const std::string& id) {
    ASSERT_TRUE(Submit(id, Jobs(1)).ok());
    UntilEnded(id);
  }
  base::Fd target_;
  std::string aside_;
};

TEST_F(BackupTest, WithoutADatabaseThereIsNone) {
  EXPECT_EQ(BackupState(state_.get(), target_.get()).error().code(), Code::kNotFound);
  EXPECT_TRUE(FilesOf("state").empty()) << "and none is made";
}

TEST_F(BackupTest, AFolderWithSomethingInItIsNotWrittenTo) {
  ASSERT_TRUE(Open().ok());
  std::ofstream(dir_ / "backup/.hidden") << "mine";
  EXPECT_EQ(BackupState(state_.get(), target_.get()).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(FilesOf("backup"), std::vector<std::string>{".hidden"});
}

TEST_F(BackupTest, ANewerDatabaseIsNotCopiedNorRestored) {
  ASSERT_TRUE(Open().ok());
  worker_.reset();
  ASSERT_TRUE(BackupState(state_.get(), target_.get()).ok());
  const std::string newer = "PRAGMA user_version = " + std::to_string(kSchemaVersion + 1);
  {
    auto database = Database::Open(DatabaseFile(), false);
    ASSERT_TRUE(database->Execute(newer.c_str()).ok());
  }
  const base::Fd other = dir_.Open("other");
  EXPECT_EQ(BackupState(state_.get(), other.get()).error().code(), Code::kFailedPrecondition);
  EXPECT_TRUE(FilesOf("other").empty());
}

TEST_F(BackupTest, ADamagedDatabaseIsNotCopied) {
  std::ofstream(DatabaseFile()) << std::string(100'000, 'x');
  EXPECT_EQ(BackupState(state_.get(), target_.get()).error().code(), Code::kDataLoss);
  EXPECT_TRUE(FilesOf("backup").empty());
}

// Files may not become larger than this, while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, SIG_DFL);
  }

 private:
  rlimit before_{};
};

TEST_F(BackupTest, OneThatDoesNotFitLeavesNothingAndCanBeTriedAgain) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("b", Jobs(10'000), {.hold = true}).ok());
  worker_.reset();
  {
    const FileSizeLimit limit(128 * 1024);
    EXPECT_FALSE(BackupState(state_.get(), target_.get()).ok());
  }
  EXPECT_TRUE(FilesOf("backup").empty());
  EXPECT_TRUE(BackupState(state_.get(), target_.get()).ok());
}

TEST_F(BackupTest, ADatabaseInPlaceIsNotOverwrittenUnlessSaid) {
  ASSERT_TRUE(Open().ok());
  RunOne("a");
  ASSERT_TRUE(BackupState(state_.get(), target_.get()).ok());
  RunOne("b");
  worker_.reset();
  EXPECT_EQ(Restore().error().code(), Code::kFailedPrecondition);
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Batch("b").job_count, 1u);
  worker_.reset();
  ASSERT_TRUE(Restore(true).ok());
  EXPECT_EQ(aside_, "jobd.db.replaced-1");
  EXPECT_TRUE(fs::exists(dir_ / "state" / aside_));
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Batch("a").job_count, 1u);
  EXPECT_EQ(worker_->GetBatch({.batch = {"ann", "b"}}).error().code(), Code::kNotFound);
}

TEST_F(BackupTest, ADamagedOrUnmarkedBackupIsNotTaken) {
  ASSERT_TRUE(Open().ok());
  RunOne("a");
  ASSERT_TRUE(BackupState(state_.get(), target_.get()).ok());
  worker_.reset();
  const auto before = fs::last_write_time(DatabaseFile());
  std::fstream file(Copy(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(5000);
  file.put('!');
  file.close();
  EXPECT_EQ(Restore(true).error().code(), Code::kDataLoss);
  const base::Fd copy(::open(Copy().c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(RestoreState(state_.get(), copy.get(), "", true, aside_).error().code(), Code::kDataLoss);
  EXPECT_EQ(fs::last_write_time(DatabaseFile()), before);
  EXPECT_TRUE(Open().ok());
}

TEST_F(BackupTest, IsOfOneMomentWhileTheServiceWorks) {
  // In a process of its own, as it is done: closing a file of the database here would drop this process' locks on it. Forked while
  // there is one thread.
  int go[2];
  ASSERT_EQ(::pipe2(go, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char word = 0;
    ::_exit(::read(go[0], &word, 1) == 1 && BackupState(state_.get(), target_.get()).ok() ? 0 : 1);
  }
  ASSERT_TRUE(Open().ok());
  RunOne("before");
  std::vector<std::future<base::Result<Receipt>>> answers;
  for (int i = 0; i < 200; ++i) {
    auto promise = std::make_shared<std::promise<base::Result<Receipt>>>();
    answers.push_back(promise->get_future());
    worker_->Submit({.owner = "ann"}, {.correlation_id = "b" + std::to_string(i)}, Jobs(3),
                    [promise](base::Result<Receipt> receipt) { promise->set_value(std::move(receipt)); });
  }
  ASSERT_EQ(::write(go[1], "!", 1), 1);
  ::close(go[0]);
  ::close(go[1]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (auto& answer : answers) EXPECT_TRUE(answer.get().ok());
  worker_.reset();
  auto copy = Database::Open(Copy(), false);
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(*copy->QueryText("PRAGMA integrity_check"), "ok");
  EXPECT_EQ(*copy->QueryInt("SELECT count(*) FROM batches WHERE correlation_id = 'before' AND ended_at > 0"), 1);
  EXPECT_EQ(*copy->QueryInt("SELECT count(*) FROM specs"), *copy->QueryInt("SELECT sum(job_count) FROM batches"))
      << "whole batches";
}

TEST_F(BackupTest, NumbersOfBatchesThatItDoesNotKnowAreNotGivenOutAgain) {
  ASSERT_TRUE(Open().ok());
  RunOne("a");
  ASSERT_TRUE(BackupState(state_.get(), target_.get()).ok());
  RunOne("b");
  const uint64_t lost = Batch("b").id;
  worker_.reset();
  ASSERT_TRUE(Restore(true).ok());
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("c", Jobs(1)).ok());
  EXPECT_GT(Batch("c").id, lost);
}

// A shim of another process: holds the lock of the first slot of an exit file.
class Recorder {
 public:
  explicit Recorder(const fs::path& exits) {
    int ready[2];
    EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      const int file = ::open(exits.c_str(), O_RDWR | O_CLOEXEC);
      struct flock lock {};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      lock.l_len = launch::kSlotSize;
      (void)!::write(ready[1], ::fcntl(file, F_SETLK, &lock) == 0 ? "y" : "n", 1);
      for (;;) ::pause();
    }
    char answer = 0;
    EXPECT_EQ(::read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Recorder() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

 private:
  pid_t pid_ = -1;
};

class RecoverTest : public BackupTest {
 protected:
  // What a shim leaves in the exit file of a batch of ann's.
  void Record(const std::string& id, uint32_t index, launch::SlotRecord record) {
    record.attempt = 1;
    record.started_at = FakeLauncher::kStarted;
    if (record.phase == launch::Phase::kEnded) record.ended_at = FakeLauncher::kStarted + 5;
    const base::Fd file(::openat(logs_.get(), ("ann/" + id + "/exits").c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(base::PwriteAll(file.get(), launch::EncodeSlot(record), launch::SlotOffset(index)).ok());
  }
  base::Result<Recovered> Recover() { return RecoverState(state_.get(), logs_.get()); }
};

TEST_F(RecoverTest, IsRefusedWhileAJobRuns) {
  launcher_ = std::make_unique<FakeLauncher>(logs_.get());
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("b", Jobs(1)).ok());
  launcher_->Running(launcher_->WaitLaunched(1).key);
  worker_.reset();
  const Recorder recorder(dir_ / "logs/ann/b/exits");
  std::ofstream(DatabaseFile()) << "damaged";
  const auto refused = Recover();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), Code::kFailedPrecondition);
  EXPECT_NE(refused.error().message().find("ann/b/1 still runs"), std::string::npos) << refused.error().message();
  EXPECT_EQ(base::ReadFile(AT_FDCWD, DatabaseFile()).value(), "damaged") << "nothing was changed";
}

TEST_F(RecoverTest, FaultA19WhoeverCannotLookDoesNotSayThatNothingRuns) {
  ASSERT_TRUE(Open().ok());
  RunOne("a");
  worker_.reset();
  const Recorder recorder(dir_ / "logs/ann/a/exits");
  // Too few to come as far as the exit records: to list the owners, the batches, or to open one.
  for (const rlim_t descriptors : {rlim_t{0}, rlim_t{1}, rlim_t{2}}) {
    const FewDescriptors few(descriptors);
    const base::Status checked = CheckNothingRuns(logs_.get());
    ASSERT_FALSE(checked.ok()) << descriptors;
    EXPECT_EQ(checked.error().code(), Code::kResourceExhausted) << checked.error().message();
  }
  const FewDescriptors enough(3);
  EXPECT_EQ(CheckNothingRuns(logs_.get()).error().code(), Code::kFailedPrecondition);
}

TEST_F(RecoverTest, WhoeverCannotLookRecoversNothing) {
  ASSERT_TRUE(Open().ok());
  RunOne("a");
  worker_.reset();
  std::ofstream(DatabaseFile()) << "damaged";
  {
    const FewDescriptors few(2);
    const auto recovered = Recover();
    ASSERT_FALSE(recovered.ok());
    EXPECT_NE(recovered.error().message().find("whether jobs of ann/a still run"), std::string::npos)
        << recovered.error().message();
  }
  EXPECT_EQ(base::ReadFile(AT_FDCWD, DatabaseFile()).value(), "damaged") << "nothing was changed";
  EXPECT_TRUE(Recover().ok());
}

TEST_F(RecoverTest, WhatCannotBeABatchOfOursHoldsNothingUp) {
  ASSERT_TRUE(Open().ok());
  RunOne("a");
  worker_.reset();
  fs::create_directories(dir_ / "logs/ann/empty");
  fs::create_directories(dir_ / "logs/ann/folder/exits");
  fs::create_directories(dir_ / "logs/ann/link");
  fs::create_symlink(dir_ / "logs/ann/a/exits", dir_ / "logs/ann/link/exits");
  fs::create_directory_symlink(dir_ / "logs/ann", dir_ / "logs/bob");
  std::ofstream(dir_ / "logs/stray") << "x";
  EXPECT_TRUE(CheckNothingRuns(logs_.get()).ok());
}

TEST_F(RecoverTest, OfANewerDatabaseIsRefused) {
  ASSERT_TRUE(Open().ok());
  worker_.reset();
  {
    auto database = Database::Open(DatabaseFile(), false);
    ASSERT_TRUE(database->Execute(("PRAGMA user_version = " + std::to_string(kSchemaVersion + 1)).c_str()).ok());
  }
  EXPECT_EQ(Recover().error().code(), Code::kFailedPrecondition);
}

TEST_F(RecoverTest, MakesADatabaseOfWhatExitRecordsProve) {
  launcher_ = std::make_unique<FakeLauncher>(logs_.get());
  limits_.max_running = 10;
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("b", Jobs(4)).ok());
  launcher_->WaitLaunched(4);
  FakeOutput output(logs_.get(), "ann/b", 1);
  output.Write(launch::Stream::kOut, "hello\n", FakeLauncher::kStarted);
  worker_.reset();
  Record("b", 1, {.phase = launch::Phase::kEnded, .exit = base::ExitStatus::Exited(0), .stdout_bytes = 6});
  Record("b", 2, {.phase = launch::Phase::kEnded, .exit = base::ExitStatus::Exited(7)});
  Record("b", 3, {.phase = launch::Phase::kRunning});
  std::ofstream(DatabaseFile(), std::ios::trunc) << std::string(10'000, 'x');
  ASSERT_EQ(Open().error().code(), Code::kDataLoss);

  const auto recovered = Recover();
  ASSERT_TRUE(recovered.ok()) << recovered.error().message();
  EXPECT_EQ(recovered->batches, 1u);
  EXPECT_EQ(recovered->jobs, 4u);
  EXPECT_EQ(recovered->proven, 2u);
  EXPECT_EQ(recovered->aside, "jobd.db.damaged-1");
  ASSERT_TRUE(Open().ok());
  const BatchView batch = Batch("b");
  EXPECT_EQ(batch.state, JobState::kLost);
  EXPECT_EQ(batch.options.labels.at("recovered"), "exit-records");
  EXPECT_EQ(batch.started_at, FakeLauncher::kStarted);
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kSucceeded);
  EXPECT_EQ(Job("b", 1).stdout_bytes, 6u);
  EXPECT_TRUE(Job("b", 1).argv.empty()) << "what is not on record is not made up";
  EXPECT_EQ(Job("b", 2).outcome.exit_code, 7);
  EXPECT_EQ(Job("b", 3).outcome.state, JobState::kLost) << "it began; nobody saw its end";
  EXPECT_EQ(Job("b", 4).outcome.state, JobState::kLost);
  EXPECT_EQ(Job("b", 4).attempt, 0u);
  EXPECT_NE(Job("b", 4).outcome.reason.text.find("never started"), std::string::npos);
  auto logs = worker_->OpenLogs({.batch = {"ann", "b"}});
  ASSERT_TRUE(logs.ok());
  const auto page = (*logs)->Read(1 << 20);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->chunks.size(), 1u);
  EXPECT_EQ(page->chunks[0].data, "hello\n");
  EXPECT_EQ(launcher_->launched(), 4u) << "nothing is started again";
  EXPECT_EQ(Submit("b", Jobs(4)).error().code(), Code::kAlreadyExists);
}

TEST_F(RecoverTest, AddsToAWholeDatabaseWhatItLacks) {
  ASSERT_TRUE(Open().ok());
  RunOne("a");
  ASSERT_TRUE(BackupState(state_.get(), target_.get()).ok());
  RunOne("b");
  worker_.reset();
  for (const char* const id : {"a", "b"}) Record(id, 1, {.phase = launch::Phase::kEnded});
  ASSERT_TRUE(Restore(true).ok());
  const auto recovered = Recover();
  ASSERT_TRUE(recovered.ok()) << recovered.error().message();
  EXPECT_EQ(recovered->known, 1u);
  EXPECT_EQ(recovered->batches, 1u);
  EXPECT_TRUE(recovered->aside.empty());
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Job("a", 1).argv, std::vector<std::string>{"true"});
  EXPECT_EQ(Job("b", 1).outcome.state, JobState::kSucceeded);
}

TEST_F(RecoverTest, PassesOverWhatIsNoBatch) {
  ASSERT_TRUE(Open().ok());
  RunOne("a");
  worker_.reset();
  fs::remove(DatabaseFile());
  fs::create_directories(dir_ / "logs/ann/empty");
  fs::create_directories(dir_ / "outside");
  fs::create_directory_symlink(dir_ / "outside", dir_ / "logs/ann/link");
  fs::create_directory_symlink(dir_ / "logs/ann", dir_ / "logs/bob");
  std::ofstream(dir_ / "logs/stray") << "x";
  fs::create_directories(dir_ / "logs/ann/torn");
  std::ofstream(dir_ / "logs/ann/torn/exits") << "short";
  const auto recovered = Recover();
  ASSERT_TRUE(recovered.ok()) << recovered.error().message();
  EXPECT_EQ(recovered->batches, 1u);
  EXPECT_EQ(recovered->skipped, 3u);
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(worker_->ListBatches({.owner = "bob"})->batches.empty());
}

}  // namespace
}  // namespace jobd::worker
