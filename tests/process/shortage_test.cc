// What the machine lacks for a moment fails no job and is no property of the machine: each start that does not come about is either
// refused for a retry or recorded as one that may pass, whatever it was that was short; and works when there is room again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/errno_text.h"
#include "base/files.h"
#include "launch/contract/start_fault.h"
#include "sandbox/cgroup/job_group.h"
#include "tests/process/harness/launcher_host.h"
#include "tests/support/require.h"

namespace jobd::process_test {
namespace {

using launch::EndCause;
using launch::SlotRecord;

// A group of processes that can be given so many more and no more, and goes with this object.
class FewProcesses {
 public:
  FewProcesses() {
    const std::filesystem::path v1 = "/sys/fs/cgroup/pids";
    const std::filesystem::path v2 = "/sys/fs/cgroup";
    std::string controllers;
    std::getline(std::ifstream(v2 / "cgroup.subtree_control"), controllers);
    const bool can_v2 = controllers.find("pids") != std::string::npos;
    if (!can_v2 && !std::filesystem::exists(v1 / "cgroup.procs")) return;
    const auto path = (can_v2 ? v2 : v1) / ("jobd-few-" + std::to_string(::getpid()));
    std::error_code error;
    if (std::filesystem::create_directory(path, error)) path_ = path;
  }
  ~FewProcesses() {
    // Behind the last process, which the kernel may still be taking leave of.
    while (!path_.empty() && ::rmdir(path_.c_str()) != 0 && errno == EBUSY) std::this_thread::yield();
  }
  FewProcesses(const FewProcesses&) = delete;
  FewProcesses& operator=(const FewProcesses&) = delete;

  bool possible() const { return !path_.empty(); }
  void Enter(pid_t pid) const { Write("cgroup.procs", std::to_string(pid)); }
  void Allow(int more) const {
    int now = 0;
    std::ifstream(path_ / "pids.current") >> now;
    Write("pids.max", std::to_string(now + more));
  }
  void AllowAll() const { Write("pids.max", "max"); }

 private:
  void Write(const char* file, const std::string& text) const { std::ofstream(path_ / file) << text; }
  std::filesystem::path path_;
};

class ShortageTest : public testing::Test {
 protected:
  static constexpr uint32_t kJobs = 200;

  // A job of its own each time. True: it ran. Else it may be started again; that it ends for good is the test's failure.
  bool Starts(const std::string& profile) {
    auto request = batch_.Request({"true"}, ++index_);
    request.profile = profile;
    host_.Send(launch::Launch{request});
    const auto answer = host_.Receive();
    if (const auto* const refused = std::get_if<launch::Refused>(&answer)) {
      EXPECT_TRUE(refused->retry) << refused->text;
      return false;
    }
    EXPECT_TRUE(std::holds_alternative<launch::ShimExited>(answer));
    const SlotRecord record = batch_.Slot(index_);
    if (record.cause != EndCause::kSetupFailed) {
      EXPECT_EQ(record.exit, base::ExitStatus::Exited(0));
      return true;
    }
    EXPECT_TRUE(launch::StartMayPass(record.step, record.step_errno))
        << launch::StepText(record.step) << ": " << base::ErrnoText(record.step_errno);
    EXPECT_EQ(record.started_at, 0);
    failed_.insert(record.step);
    return false;
  }
  // As soon as nothing is left of what was short.
  bool StartsSoon(const std::string& profile) {
    while (index_ < kJobs) {
      if (Starts(profile)) return true;
    }
    return false;
  }
  // The views are made again at the next start.
  void Reload() {
    host_.Send(launch::PrepareReload{});
    host_.Send(launch::CommitReload{std::get<launch::Files>(host_.Receive()).revision});
    ASSERT_TRUE(std::get<launch::Reloaded>(host_.Receive()).done);
  }
  // As the server is told when it starts.
  void ExpectNothingMissing() {
    host_.Send(launch::ReadFiles{});
    const auto files = std::get<launch::Files>(host_.Receive());
    EXPECT_FALSE(files.capabilities.profiles.empty());
    for (const auto& profile : files.capabilities.profiles) EXPECT_FALSE(profile.missing) << profile.name;
  }

  FewProcesses few_;
  TempDir logs_;
  LauncherHost host_{{.log_dir = logs_.path(), .shim_turn = std::chrono::minutes(1)}};
  Batch batch_{logs_.path(), kJobs};
  uint32_t index_ = 0;
  std::set<launch::Step> failed_;
};

TEST_F(ShortageTest, FaultWithoutDescriptorsAtAnyStepTheStartMayPass) {
  rlimit all{};
  ASSERT_EQ(::prlimit(host_.pid(), RLIMIT_NOFILE, nullptr, &all), 0);
  for (const char* profile : {"standard", "strict"}) {
    bool started = false;
    for (rlim_t most = 3; most < 50 && !started && index_ + 2 < kJobs;) {
      ASSERT_TRUE(Starts(profile));
      // It waits for the next job.
      const auto shim = static_cast<pid_t>(batch_.Slot(index_).shim_pid);
      const rlimit few{.rlim_cur = most, .rlim_max = all.rlim_max};
      ASSERT_EQ(::prlimit(shim, RLIMIT_NOFILE, &few, nullptr), 0);
      const bool ran = Starts(profile);
      // On a busy machine it may not have come back to wait: then another took the job, and nothing was short.
      const bool by_another = ran && static_cast<pid_t>(batch_.Slot(index_).shim_pid) != shim;
      (void)::prlimit(shim, RLIMIT_NOFILE, &all, nullptr);  // unless it has ended
      if (by_another) continue;
      started = ran;
      ++most;
    }
    EXPECT_TRUE(started);
  }
  EXPECT_GE(failed_.size(), 3u) << "several steps were short of them";
}

TEST_F(ShortageTest, FaultWithoutProcessesAtAnyStepTheStartMayPass) {
  JOBD_REQUIRE(few_.possible(), "needs root and the pids controller");
  ASSERT_TRUE(Starts("strict"));
  few_.Enter(host_.pid());
  Reload();  // the shim that waits goes
  int more = 0;
  for (; more < 8; ++more) {
    few_.Allow(more);
    if (Starts("strict")) break;
  }
  EXPECT_GE(more, 2) << "a shim and the job's first process are needed at least";
  few_.AllowAll();
  ASSERT_TRUE(StartsSoon("strict"));
}

TEST_F(ShortageTest, FaultAMomentWithoutProcessesDoesNotMakeAProfileUnavailable) {
  JOBD_REQUIRE(few_.possible(), "needs root and the pids controller");
  few_.Enter(host_.pid());
  Reload();
  few_.Allow(0);
  for (const char* profile : {"standard", "strict"}) EXPECT_FALSE(Starts(profile));
  ExpectNothingMissing();
  few_.AllowAll();
  for (const char* profile : {"standard", "strict"}) EXPECT_TRUE(StartsSoon(profile));
}

TEST_F(ShortageTest, FaultAMomentWithoutDescriptorsDoesNotMakeAProfileUnavailable) {
  Reload();
  host_.LimitDescriptors(0);
  for (const char* profile : {"standard", "strict"}) EXPECT_FALSE(Starts(profile));
  ExpectNothingMissing();
  host_.LimitDescriptors(std::nullopt);
  for (const char* profile : {"standard", "strict"}) EXPECT_TRUE(StartsSoon(profile));
}

TEST(DetectTest, FaultAMomentWithoutDescriptorsDoesNotMeanThatThereAreNoCgroups) {
  const std::string tag = "jobd-few-" + std::to_string(::getpid());
  const auto usual = sandbox::DetectGroupDriver(tag);
  ASSERT_TRUE(usual.ok());
  JOBD_REQUIRE((*usual)->name() != "none", "needs cgroups");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto without = sandbox::DetectGroupDriver(tag);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  (*usual)->RemoveRoot();
  ASSERT_FALSE(without.ok()) << (*without)->name();
  EXPECT_EQ(without.error().code(), base::Code::kResourceExhausted) << without.error().message();
}

}  // namespace
}  // namespace jobd::process_test
