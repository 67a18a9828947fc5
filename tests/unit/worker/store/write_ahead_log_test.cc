// A database whose log was lost or damaged: SQLite would open what was there before, without a word.
#include "worker/store/write_ahead_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/files.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/recover.h"
#include "worker/store/schema.h"
#include "worker/store/sqlite.h"
#include "worker/store/sqlite_store.h"

namespace jobd::worker {
namespace {

namespace fs = std::filesystem;
using base::Code;
using testing::HasSubstr;

// A state directory as it is when jobd is killed: the database and its log, while somebody has it open.
class LostLogTest : public WorkerTest {
 protected:
  // The state of the worker that runs, as a kill would leave it.
  void KillAndTakeOver() {
    const fs::path copy = dir_ / "copy";
    fs::create_directory(copy);
    for (const char* name : {"jobd.db", "jobd.db-wal"}) fs::copy_file(State(name), copy / name);
    worker_.reset();
    for (const char* name : {"jobd.db", "jobd.db-wal", "jobd.db-shm"}) fs::remove(State(name));
    for (const char* name : {"jobd.db", "jobd.db-wal"}) fs::copy_file(copy / name, State(name));
  }
  fs::path State(const std::string& name) const { return dir_ / ("state/" + name); }
  void Flip(const std::string& name, std::streamoff offset) const {
    std::fstream file(State(name), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(offset);
    const int byte = file.get();
    file.seekp(offset);
    file.put(static_cast<char>(byte ^ 0x40));
  }
  void SubmitSome(const std::string& prefix, int batches) {
    for (int i = 0; i < batches; ++i) ASSERT_TRUE(Submit(prefix + std::to_string(i), Jobs(3), {.hold = true}).ok());
  }
};

TEST_F(LostLogTest, WhatAKillLeavesIsWhole) {
  ASSERT_TRUE(Open().ok());
  SubmitSome("b", 10);
  KillAndTakeOver();
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Batch("b9").job_count, 3u);
}

TEST_F(LostLogTest, FaultALogThatWasDeletedIsMissed) {
  ASSERT_TRUE(Open().ok());
  SubmitSome("b", 10);
  KillAndTakeOver();
  fs::remove(State("jobd.db-wal"));
  const base::Status status = Open();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Code::kDataLoss);
  EXPECT_THAT(status.error().message(), HasSubstr("its log, jobd.db-wal, is missing"));
  EXPECT_THAT(status.error().message(), HasSubstr("jobd --recover"));
}

TEST_F(LostLogTest, FaultALogThatWasEmptiedOrHasAnotherBeginningIsMissed) {
  ASSERT_TRUE(Open().ok());
  SubmitSome("b", 10);
  KillAndTakeOver();
  Flip("jobd.db-wal", 17);  // a salt
  EXPECT_EQ(Open().error().code(), Code::kDataLoss);
  fs::resize_file(State("jobd.db-wal"), 0);
  EXPECT_EQ(Open().error().code(), Code::kDataLoss);
}

TEST_F(LostLogTest, FaultADamagedCommitBeforeOthersIsFound) {
  ASSERT_TRUE(Open().ok());
  SubmitSome("b", 10);
  KillAndTakeOver();
  for (const std::streamoff offset : {32 + 4, 32 + 9, 32 + 17, 32 + 24 + 100}) {  // of the first frame: each of its parts
    Flip("jobd.db-wal", offset);
    EXPECT_EQ(Open().error().code(), Code::kDataLoss) << offset;
    Flip("jobd.db-wal", offset);
  }
  EXPECT_TRUE(Open().ok());
}

TEST_F(LostLogTest, ATornLastCommitIsNone) {
  ASSERT_TRUE(Open().ok());
  SubmitSome("b", 10);
  KillAndTakeOver();
  fs::resize_file(State("jobd.db-wal"), fs::file_size(State("jobd.db-wal")) - 100);
  ASSERT_TRUE(Open().ok()) << "power failed while it was written";
  EXPECT_EQ(Batch("b8").job_count, 3u);
}

TEST_F(LostLogTest, AFileThatSomebodyElseMadeWholeNeedsNoLog) {
  ASSERT_TRUE(Open().ok());
  SubmitSome("b", 10);
  KillAndTakeOver();
  // As the command sqlite3 does.
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(State("jobd.db").c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, "SELECT count(*) FROM batches", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  EXPECT_FALSE(fs::exists(State("jobd.db-wal")));
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Batch("b9").job_count, 3u);
}

TEST_F(LostLogTest, ALogThatBeganAnewIsMissedToo) {
  ASSERT_TRUE(Open().ok());
  std::vector<JobSpec> large = Jobs(2000);
  for (JobSpec& spec : large) spec.argv.push_back(std::string(8000, 'x'));
  for (const char* id : {"l1", "l2", "l3"}) ASSERT_TRUE(Submit(id, large, {.hold = true}).ok());
  SubmitSome("b", 5);
  EXPECT_GT(fs::file_size(State("jobd.db")), 16u << 20) << "commits were moved to the file";
  KillAndTakeOver();
  const auto folder = base::OpenAt(AT_FDCWD, dir_ / "state", O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(*ExamineLog(folder->get(), kDatabaseName), LogState::kWhole);
  fs::remove(State("jobd.db-wal"));
  EXPECT_EQ(Open().error().code(), Code::kDataLoss);
}

TEST_F(LostLogTest, FaultADatabaseThatIsGoneIsNotBegunAnewOverRecordsOfJobs) {
  ASSERT_TRUE(Open().ok());
  worker_.reset();
  fs::remove(State("jobd.db"));
  EXPECT_TRUE(Open().ok()) << "where nothing has run nothing is lost";
  worker_.reset();
  fs::create_directories(dir_ / "logs/ann/x1");
  std::ofstream(dir_ / "logs/ann/x1/exits") << std::string(4096, '\0');
  EXPECT_TRUE(Open().ok()) << "the database is there";
  worker_.reset();
  for (const bool empty : {false, true}) {
    fs::remove(State("jobd.db"));
    if (empty) std::ofstream(State("jobd.db")).flush();
    const base::Status status = Open();
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code(), Code::kDataLoss);
    EXPECT_THAT(status.error().message(), HasSubstr("jobd.db is missing"));
    EXPECT_THAT(status.error().message(), HasSubstr("ann/x1"));
  }
}

}  // namespace
}  // namespace jobd::worker
