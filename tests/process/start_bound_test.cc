// A server that was taken over asks for any number of jobs: the launcher starts no more than its own policy lets live at once.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <optional>
#include <set>
#include <string>

#include "launch/launcher/job_count.h"
#include "tests/process/harness/launcher_host.h"

namespace jobd::process_test {
namespace {

using launch::JobCount;
using launch::JobKey;
using launch::LaunchRequest;

class StartBoundTest : public testing::Test {
 protected:
  static constexpr uint32_t kJobs = 120;
  static constexpr size_t kMost = 2 + JobCount::kOverlap;

  void TearDown() override {
    // They end with their launcher or without: by their shims.
    for (const JobKey& key : live_) host_->Send(launch::CancelJob{key, 0});
    while (!live_.empty()) live_.erase(std::get<launch::ShimExited>(host_->Receive()).key);
  }

  HostOptions Options() const {
    HostOptions options{.log_dir = logs_.path()};
    options.policy.max_running = 1;
    return options;
  }
  LaunchRequest Request(uint32_t index) const {
    LaunchRequest request = batch_.Request({"sleep", "3600"}, index);
    request.profile = "open";
    return request;
  }
  // Asks for jobs [first, last], and waits for what becomes of that. How many were refused.
  size_t Ask(uint32_t first, uint32_t last) {
    for (uint32_t index = first; index <= last; ++index) {
      host_->Send(launch::Launch{Request(index)});
      live_.insert(Request(index).key);
    }
    host_->Send(launch::Hello{});
    size_t refused = 0;
    for (;;) {
      const auto frame = host_->Receive();
      if (std::holds_alternative<launch::HelloAck>(frame)) return refused;
      const auto& answer = std::get<launch::Refused>(frame);
      EXPECT_TRUE(answer.retry) << "the job of an honest server waits: " << answer.text;
      EXPECT_FALSE(answer.policy);
      EXPECT_NE(answer.text.find("limits.max_running = 1"), std::string::npos) << answer.text;
      live_.erase(answer.key);
      ++refused;
    }
  }
  void End(JobKey key) {
    host_->Send(launch::CancelJob{key, 0});
    EXPECT_EQ(std::get<launch::ShimExited>(host_->Receive()).key, key);
    live_.erase(key);
  }

  TempDir logs_;
  std::optional<LauncherHost> host_{Options()};
  Batch batch_{logs_.path(), kJobs};
  std::set<JobKey> live_;
};

TEST_F(StartBoundTest, FaultG10ManyStartsAtOnceStartWhatMayRunAndLittleMore) {
  EXPECT_EQ(Ask(1, kJobs), kJobs - kMost);
  EXPECT_EQ(live_.size(), kMost);
  // When one has ended there is room for one.
  End(*live_.begin());
  EXPECT_EQ(Ask(kJobs - 1, kJobs), 1u);
}

TEST_F(StartBoundTest, FaultG10JobsFromBeforeTheLauncherCountToo) {
  ASSERT_EQ(Ask(1, kMost), 0u);
  for (uint32_t index = 1; index <= kMost; ++index) {
    batch_.AwaitSlot([](const launch::SlotRecord& record) { return record.phase == launch::Phase::kRunning; }, index);
  }
  host_->Kill();
  host_.emplace(Options());
  for (uint32_t index = 1; index <= kMost; ++index) host_->Send(batch_.WatchOf(Request(index)));
  host_->Send(launch::Reconciled{});
  EXPECT_EQ(Ask(kMost + 1, kMost + 3), 3u);
}

// A database that came back from an earlier time does not have them, so the server takes no slots for them.
TEST_F(StartBoundTest, FaultG10JobsThatTheServerDoesNotKnowDoNotCount) {
  ASSERT_EQ(Ask(1, kMost), 0u);
  for (uint32_t index = 1; index <= kMost; ++index) {
    batch_.AwaitSlot([](const launch::SlotRecord& record) { return record.phase == launch::Phase::kRunning; }, index);
  }
  host_->Kill();
  host_.emplace(Options());
  host_->Send(launch::Reconciled{});
  EXPECT_EQ(Ask(kMost + 1, kMost + 3), 0u);
}

// The signals that a shim cannot take are as many as somebody likes to ask for.
TEST_F(StartBoundTest, FaultG10SignalsForAShimThatTakesNoneTakeNoMemoryWithoutEnd) {
  ASSERT_EQ(Ask(1, 1), 0u);
  const auto running = batch_.AwaitSlot([](const launch::SlotRecord& record) { return record.phase == launch::Phase::kRunning; });
  rlimit before{};
  ASSERT_EQ(::prlimit(static_cast<pid_t>(running.shim_pid), RLIMIT_SIGPENDING, nullptr, &before), 0);
  const rlimit few{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::prlimit(static_cast<pid_t>(running.shim_pid), RLIMIT_SIGPENDING, &few, nullptr), 0);
  for (int i = 0; i < 5000; ++i) host_->Send(launch::SignalJob{*live_.begin(), SIGUSR1});
  for (int i = 0; i < 5000; ++i) host_->Send(launch::CancelJob{*live_.begin(), base::kNanosPerSecond * (5000 - i)});
  host_->Send(launch::Hello{});
  EXPECT_TRUE(std::holds_alternative<launch::HelloAck>(host_->Receive())) << "it has done all of that, and lives";
  ASSERT_EQ(::prlimit(static_cast<pid_t>(running.shim_pid), RLIMIT_SIGPENDING, &before, nullptr), 0);
  const auto ended = batch_.AwaitSlot([](const launch::SlotRecord& record) { return record.phase == launch::Phase::kEnded; });
  EXPECT_NE(ended.cause, launch::EndCause::kTimeout);
  EXPECT_EQ(std::get<launch::ShimExited>(host_->Receive()).key, *live_.begin());
  live_.clear();
}

}  // namespace
}  // namespace jobd::process_test
