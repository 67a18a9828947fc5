// A reload is one decision of launcher and server: nothing changes before it is committed, and what is dropped never counts.
#include <gtest/gtest.h>

#include "tests/process/harness/launcher_host.h"

namespace jobd::process_test {
namespace {

class FaultD6 : public testing::Test {
 protected:
  uint64_t Prepare() {
    host_.Send(launch::PrepareReload{});
    const auto frame = host_.Receive();
    EXPECT_TRUE(std::holds_alternative<launch::Files>(frame));
    return std::get<launch::Files>(frame).revision;
  }
  bool Commit(uint64_t revision) {
    host_.Send(launch::CommitReload{revision});
    const auto frame = host_.Receive();
    EXPECT_TRUE(std::holds_alternative<launch::Reloaded>(frame));
    EXPECT_EQ(std::get<launch::Reloaded>(frame).revision, revision);
    return std::get<launch::Reloaded>(frame).done;
  }
  void ExpectJobsOfTheOwnerRun() {
    EXPECT_EQ(RunToEnd(host_, batch_, batch_.Request({"true"}, ++index_)).exit, base::ExitStatus::Exited(0));
  }
  void ExpectTheOwnerIsUnknown() {
    host_.Send(launch::Launch{batch_.Request({"true"}, ++index_)});
    const auto frame = host_.Receive();
    ASSERT_TRUE(std::holds_alternative<launch::Refused>(frame));
    EXPECT_TRUE(std::get<launch::Refused>(frame).policy);
  }

  TempDir logs_;
  LauncherHost host_{{.log_dir = logs_.path(), .reload_without_owners = true}};
  Batch batch_{logs_.path(), 16};
  uint32_t index_ = 0;
};

TEST_F(FaultD6, APolicyThatIsPreparedStartsAndRefusesNothing) {
  Prepare();
  ExpectJobsOfTheOwnerRun();
}

TEST_F(FaultD6, WhatWasAbortedCannotBeCommitted) {
  const uint64_t revision = Prepare();
  host_.Send(launch::AbortReload{revision});
  EXPECT_FALSE(Commit(revision));
  ExpectJobsOfTheOwnerRun();
}

TEST_F(FaultD6, ACommitMeansTheSetThatWasPreparedLast) {
  const uint64_t first = Prepare();
  const uint64_t second = Prepare();
  EXPECT_NE(first, second);
  EXPECT_FALSE(Commit(first));
  ExpectJobsOfTheOwnerRun();
  EXPECT_TRUE(Commit(second));
  ExpectTheOwnerIsUnknown();
  EXPECT_FALSE(Commit(second)) << "once";
}

TEST_F(FaultD6, AbortOfAnotherSetDropsNothing) {
  const uint64_t first = Prepare();
  const uint64_t second = Prepare();
  host_.Send(launch::AbortReload{first});
  EXPECT_TRUE(Commit(second));
  ExpectTheOwnerIsUnknown();
}

// Nothing but the want of descriptors is in the way, and nothing is mounted when that is over.
TEST(ViewsTest, FaultD25ViewsThatCannotBeMadeNowAreMadeAtTheNextStart) {
  const TempDir logs;
  LauncherHost host({.log_dir = logs.path()});
  const Batch batch(logs.path(), 3);
  auto request = batch.Request({"true"}, 1);
  request.profile = "standard";
  ASSERT_EQ(RunToEnd(host, batch, request).exit, base::ExitStatus::Exited(0));
  host.Send(launch::PrepareReload{});
  host.Send(launch::CommitReload{std::get<launch::Files>(host.Receive()).revision});
  ASSERT_TRUE(std::get<launch::Reloaded>(host.Receive()).done);
  host.LimitDescriptors(0);
  request.key.index = 2;
  for (int i = 0; i < 2; ++i) {
    host.Send(launch::Launch{request});
    const auto refused = std::get<launch::Refused>(host.Receive());
    EXPECT_TRUE(refused.retry) << refused.text;
    EXPECT_FALSE(refused.policy);
  }
  host.LimitDescriptors(std::nullopt);
  EXPECT_EQ(RunToEnd(host, batch, request).exit, base::ExitStatus::Exited(0));
}

}  // namespace
}  // namespace jobd::process_test
