// Signals that a shim sends cannot be sent, now and then: the job is ended all the same. strace makes the calls fail, and says
// that they did.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "base/files.h"
#include "tests/process/harness/launcher_host.h"
#include "tests/support/require.h"

namespace jobd::process_test {
namespace {

using launch::EndCause;
using launch::Phase;
using launch::SlotRecord;

constexpr const char* kStrace = "/usr/bin/strace";
constexpr base::Nanos kMilli = base::kNanosPerMilli;

// While this lives, of the calls of kill(2) by `pid` the first, the third and so on fail, and so of pidfd_send_signal(2).
class RefusedSignals {
 public:
  RefusedSignals(pid_t pid, const char* error, std::string log) : log_(std::move(log)) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    base::Fd reader(ends[0]);
    base::Fd writer(ends[1]);
    const std::string target = std::to_string(pid);
    const std::string inject = std::string("inject=kill,pidfd_send_signal:error=") + error + ":when=1+2";
    strace_ = ::fork();
    if (strace_ == 0) {
      ::dup2(writer.get(), 2);
      ::execl(kStrace, kStrace, "-o", log_.c_str(), "-e", "trace=kill,pidfd_send_signal", "-e", inject.c_str(), "-p",
              target.c_str(), nullptr);
      ::_exit(127);
    }
    writer.reset();
    // "strace: Process 123 attached".
    std::string said;
    char byte = 0;
    while (said.find("attached") == std::string::npos && ::read(reader.get(), &byte, 1) == 1) said += byte;
    EXPECT_NE(said.find("attached"), std::string::npos) << said;
    reader_ = std::move(reader);
  }
  ~RefusedSignals() {
    ::kill(strace_, SIGTERM);
    (void)::waitpid(strace_, nullptr, 0);
  }
  RefusedSignals(const RefusedSignals&) = delete;
  RefusedSignals& operator=(const RefusedSignals&) = delete;
  // Waits for the end of whom it watches.
  std::string Log() {
    char bytes[256];
    while (::read(reader_.get(), bytes, sizeof bytes) > 0) {
    }
    return base::ReadFile(AT_FDCWD, log_).value();
  }

 private:
  const std::string log_;
  pid_t strace_ = 0;
  base::Fd reader_;
};

class FaultF11 : public testing::TestWithParam<std::tuple<bool, const char*>> {
 protected:
  void SetUp() override {
    JOBD_REQUIRE(::access(kStrace, X_OK) == 0, "needs strace");
    JOBD_REQUIRE(::geteuid() == 0, "needs root: a shim can be traced by nobody else");
  }
  // Starts the job, and has it say "up" before its shim's signals fail.
  void Start(const launch::LaunchRequest& request) {
    host_.Send(launch::Launch{request});
    AwaitFile(batch_.path(), "1.out", [](const std::string& text) { return text.ends_with("\n"); });
    const SlotRecord running = batch_.AwaitSlot([](const SlotRecord& record) { return record.phase == Phase::kRunning; });
    refused_.emplace(static_cast<pid_t>(running.shim_pid), std::get<1>(GetParam()), logs_.path() + "/strace");
  }
  SlotRecord End(const launch::LaunchRequest& request) {
    EXPECT_EQ(std::get<launch::ShimExited>(host_.Receive()).key, request.key);
    host_.Kill();  // a shim that waits for another job ends with it
    EXPECT_NE(refused_->Log().find("(INJECTED)"), std::string::npos) << "nothing failed";
    return batch_.Slot();
  }
  pid_t Grandchild() const { return static_cast<pid_t>(std::stol(batch_.File("1.out"))); }

  TempDir logs_;
  LauncherHost host_{{.log_dir = logs_.path(), .without_cgroups = std::get<0>(GetParam())}};
  Batch batch_{logs_.path()};
  std::optional<RefusedSignals> refused_;
};
INSTANTIATE_TEST_SUITE_P(Signals, FaultF11, testing::Combine(testing::Bool(), testing::Values("EPERM", "EAGAIN")),
                         [](const auto& kind) {
                           return std::string(std::get<0>(kind.param) ? "Tree" : "Cgroup") + std::get<1>(kind.param);
                         });

TEST_P(FaultF11, ACancelEndsTheWholeTree) {
  const auto request = batch_.Request({Payload("stubborn"), "stay"});
  Start(request);
  const pid_t grandchild = Grandchild();
  host_.Send(launch::CancelJob{request.key, 200 * kMilli});
  EXPECT_EQ(End(request).cause, EndCause::kCancel);
  EXPECT_FALSE(ProcessLives(grandchild));
}

TEST_P(FaultF11, ADeadlineEndsTheWholeTree) {
  auto request = batch_.Request({Payload("stubborn"), "stay"});
  request.timeout = 2 * base::kNanosPerSecond;
  request.kill_after = 100 * kMilli;
  Start(request);
  const pid_t grandchild = Grandchild();
  EXPECT_EQ(End(request).cause, EndCause::kTimeout);
  EXPECT_FALSE(ProcessLives(grandchild));
}

// With namespaces, what is left ends with the first process of them, which is killed.
TEST_P(FaultF11, WhatAJobLeavesEndsWithIt) {
  auto request = batch_.Request({"sh", "-c", "trap 'exit 5' USR1; sleep 1000 & echo up; while :; do sleep 0.05; done"});
  request.profile = "standard";
  Start(request);
  host_.Send(launch::SignalJob{request.key, SIGUSR1});
  EXPECT_EQ(End(request).exit, base::ExitStatus::Exited(5));
}

TEST_P(FaultF11, ASignalForTheJobIsSentAgain) {
  const auto request = batch_.Request({"sh", "-c", "trap 'echo got; exit 3' USR1; echo up; while :; do sleep 0.05; done"});
  Start(request);
  host_.Send(launch::SignalJob{request.key, SIGUSR1});
  EXPECT_EQ(End(request).exit, base::ExitStatus::Exited(3));
}

}  // namespace
}  // namespace jobd::process_test
