// Logins in the database: what is kept over a restart, and what is not.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/backup.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {
namespace {

class SessionsTest : public WorkerTest {
 protected:
  static SessionRecord Record(const std::string& handle) {
    return {.handle = handle,
            .user = "ann",
            .host = "web",
            .thumbprint = "ab12",
            .token = std::string("\x00\x01\xff", 3),
            .grounds = std::string("\x00g", 2),
            .max_role = 1,
            .created_at = 1,
            .token_at = 2,
            .token_ends = 3,
            .ends = 4,
            .boot = 0xffff'ffff'ffff'fff0,
            .token_ends_monotonic = 5,
            .ends_monotonic = 6};
  }
  template <typename Call>
  base::Status Committed(Call call) {
    std::promise<base::Status> promise;
    auto future = promise.get_future();
    call([&promise](base::Status status) { promise.set_value(std::move(status)); });
    return future.get();
  }
  base::Status Put(const SessionRecord& record) {
    return Committed([&](auto done) { worker_->sessions().Put(record, done); });
  }
};

TEST_F(SessionsTest, AreKeptOverARestartByteForByte) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put(Record("s-1")).ok());
  SessionRecord renewed = Record("s-1");
  renewed.token = "other";
  renewed.token_ends = 99;
  ASSERT_TRUE(Put(renewed).ok());
  ASSERT_TRUE(Put(Record("s-2")).ok());
  Restart();
  auto sessions = *worker_->sessions().Sessions();
  std::ranges::sort(sessions, {}, &SessionRecord::handle);
  EXPECT_EQ(sessions, (std::vector{renewed, Record("s-2")}));
  ASSERT_TRUE(Committed([&](auto done) { worker_->sessions().Drop({"s-1", "s-9"}, done); }).ok());
  Restart();
  EXPECT_EQ(*worker_->sessions().Sessions(), std::vector{Record("s-2")});
}

TEST_F(SessionsTest, WritesAreCommittedInTheOrderOfTheCalls) {
  ASSERT_TRUE(Open().ok());
  for (int i = 0; i < 200; ++i) {
    worker_->sessions().Put(Record("s-" + std::to_string(i)), {});
    worker_->sessions().Drop({"s-" + std::to_string(i)}, {});
  }
  ASSERT_TRUE(Put(Record("s-last")).ok());
  EXPECT_EQ(worker_->sessions().Sessions()->size(), 1u);
}

TEST_F(SessionsTest, APasswordThatWasHashedAgainReplacesTheOneBefore) {
  ASSERT_TRUE(Open().ok());
  for (const char* hash : {"h1", "h2"}) {
    ASSERT_TRUE(Committed([&](auto done) {
                  worker_->sessions().Put(RehashedPassword{.user = "ann", .replaces = std::string("\x00r", 2), .hash = hash}, done);
                }).ok());
  }
  Restart();
  const auto rehashed = *worker_->sessions().Rehashed();
  ASSERT_EQ(rehashed.size(), 1u);
  EXPECT_EQ(rehashed[0].hash, "h2");
  EXPECT_EQ(rehashed[0].replaces, std::string("\x00r", 2));
}

TEST_F(SessionsTest, ABackupHoldsNobodysLogin) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put(Record("s-1")).ok());
  ASSERT_TRUE(Committed([&](auto done) {
                worker_->sessions().Put(RehashedPassword{.user = "ann", .replaces = "r", .hash = "$argon2id$secret"}, done);
              }).ok());
  const base::Fd target = dir_.Open("backup");
  const auto backup = BackupState(state_.get(), target.get());
  ASSERT_TRUE(backup.ok()) << backup.error().message();
  auto copy = Database::Open(dir_ / "backup/jobd.db", false);
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(*copy->QueryInt("SELECT count(*) FROM sessions"), 0);
  EXPECT_EQ(*copy->QueryInt("SELECT count(*) FROM rehashed"), 0);
  EXPECT_EQ(worker_->sessions().Sessions()->size(), 1u) << "who is logged in stays so";
}

TEST_F(SessionsTest, WhatAnOwnerHasIsCounted) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("held", Jobs(3), {.hold = true}).ok());
  ASSERT_TRUE(Submit("running", Jobs(2)).ok());
  const auto launched = launcher_->WaitLaunched(1);
  launcher_->Running(launched.key);
  UntilState("running", launched.key.index, JobState::kRunning);
  ASSERT_TRUE(Submit("theirs", Jobs(5), {.hold = true}, "bob").ok());
  const auto use = worker_->UseOf("ann");
  ASSERT_TRUE(use.ok()) << use.error().message();
  EXPECT_EQ(use->batches, 2u);
  EXPECT_EQ(use->queued + use->running, 5u);
  EXPECT_GE(use->running, 1u);
  EXPECT_EQ(use->kept_batches, 0u);
  EXPECT_EQ(worker_->UseOf("nobody")->queued, 0u);
}

}  // namespace
}  // namespace jobd::worker
