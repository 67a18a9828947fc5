// Floods of connections, calls and bytes, by a client that keeps to nothing: the service stays small, gives memory back, and others
// are served.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "jobd/v1/auth_service.grpc.pb.h"
#include "tests/e2e/api/api.h"
#include "tests/e2e/harness/suite.h"
#include "tests/support/h2/raw_h2.h"

namespace jobd::e2e {
namespace {

using test::RawH2;
using Milliseconds = std::chrono::milliseconds;

constexpr uint64_t kMiB = 1 << 20;
constexpr const char* kWhoAmI = "/jobd.v1.AuthService/WhoAmI";
constexpr const char* kSubmit = "/jobd.v1.JobScheduleService/SubmitBatch";
constexpr const char* kWatch = "/grpc.health.v1.Health/Watch";
constexpr const char* kReflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

// Somebody else, who calls again and again as long as it lives, and how long each call took.
class Bystander {
 public:
  explicit Bystander(const Daemon& daemon) : channel_(Connect(daemon, "operator2")), thread_([this] { Run(); }) {}
  ~Bystander() { Finish(); }

  // The calls' 99th percentile.
  Milliseconds Finish() {
    done_ = true;
    if (thread_.joinable()) thread_.join();
    if (took_.empty()) return Milliseconds::max();
    std::ranges::sort(took_);
    return took_[took_.size() * 99 / 100];
  }
  size_t calls() const { return took_.size(); }
  int failed() const { return failed_; }
  Milliseconds worst() const { return took_.empty() ? Milliseconds(0) : took_.back(); }

 private:
  void Run() {
    const auto stub = v1::AuthService::NewStub(channel_);
    while (!done_) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + Seconds(20));
      v1::WhoAmIResponse response;
      const auto begin = std::chrono::steady_clock::now();
      if (!stub->WhoAmI(&context, {}, &response).ok()) ++failed_;
      took_.push_back(std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin));
    }
  }

  const std::shared_ptr<grpc::Channel> channel_;
  std::atomic<bool> done_ = false;
  std::vector<Milliseconds> took_;
  int failed_ = 0;
  std::thread thread_;
};

class DelugeTest : public DaemonSuite<DelugeTest> {
 public:
  static DaemonOptions Options() { return {"[limits]\nmax_running = 2\n", {}, ""}; }

 protected:
  static std::unique_ptr<RawH2> Raw(const std::string& user, const std::string& from = "") {
    const std::string file = daemon_->CertDir() + "/" + user;
    return RawH2::Connect(daemon_->Address(), {ReadFileOrEmpty(file + ".crt"), ReadFileOrEmpty(file + ".key")}, from);
  }
  static uint64_t Memory() { return MemoryOf(daemon_->ServerPid(), "VmRSS"); }

  // Floods while somebody else is served.
  template <typename Work>
  static void Flood(const char* what, Work work) {
    const pid_t server = daemon_->ServerPid();
    const uint64_t before = Memory();
    WriteFile("/proc/" + std::to_string(server) + "/clear_refs", "5");  // proc(5): the peak starts anew
    Bystander other(*daemon_);
    const auto begin = std::chrono::steady_clock::now();
    work();
    const auto took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin);
    const auto slow = other.Finish();
    const uint64_t most = MemoryOf(server, "VmHWM");
    EXPECT_TRUE(WaitUntil([&] { return Memory() < before + 48 * kMiB; }, Seconds(20))) << "it gives memory back";
    std::printf("%s: %ld ms; server %lu MiB before, %lu at most, %lu after; %zu calls of another, p99 %ld ms, worst %ld ms\n", what,
                static_cast<long>(took.count()), before / kMiB, most / kMiB, Memory() / kMiB, other.calls(),
                static_cast<long>(slow.count()), static_cast<long>(other.worst().count()));
    EXPECT_LT(most, 256 * kMiB) << what;
    EXPECT_LT(slow, Milliseconds(1000)) << what;
    EXPECT_EQ(other.failed(), 0) << what;
    EXPECT_EQ(daemon_->ServerPid(), server) << what;
  }
};

TEST_F(DelugeTest, FaultD2AHundredThousandRapidResets) {
  for (const char* path : {kWhoAmI, kReflection, kSubmit, kWatch, "/no.such/Method"}) {
    Flood(path, [&] {
      int sent = 0;
      for (int connection = 0; sent < 100'000 && connection < 1000; ++connection) {
        const auto raw = Raw("viewer");
        if (!raw) continue;
        while (sent < 100'000 && !raw->over()) {
          for (int i = 0; i < 1000; ++i, ++sent) raw->Reset(raw->Headers(path));
          raw->Flush(2000);
        }
      }
      EXPECT_GE(sent, 100'000);
    });
  }
}

TEST_F(DelugeTest, FaultD3TwentyThousandStreamsThatNobodyCloses) {
  Flood("20,000 Watch", [] {
    const auto raw = Raw("viewer");
    ASSERT_NE(raw, nullptr);
    for (int i = 0; i < 20'000 && !raw->over(); ++i) {
      const uint32_t stream = raw->Headers(kWatch);
      raw->Message(stream, "", true);
      if (i % 100 == 99) raw->Flush(5000);
    }
    // And is deaf from now on, until the flood is over.
    EXPECT_EQ(daemon_->Do({"list"}, "operator").code(), 0);
  });
}

TEST_F(DelugeTest, FaultD5SixteenSubmissionsOfNothingButEmptyJobs) {
  std::string empty_jobs;
  while (empty_jobs.size() < (4u << 20) - 64) empty_jobs += std::string("\x12\x00", 2);
  Flood("16 x 4 MiB", [&] {
    std::vector<std::thread> clients;
    for (int client = 0; client < 16; ++client) {
      clients.emplace_back([&] {
        const auto raw = Raw("operator");
        ASSERT_NE(raw, nullptr);
        const uint32_t stream = raw->Headers(kSubmit);
        raw->Message(stream, empty_jobs, true);
        raw->Flush(20'000);
        raw->ReadUntil([&] { return raw->ended_streams() == 1; });
        EXPECT_EQ(raw->ended_streams(), 1u);
      });
    }
    for (std::thread& client : clients) client.join();
  });
}

TEST_F(DelugeTest, FaultD5MessagesThatNeverGetWhole) {
  const std::string message(3 << 20, 'x');
  Flood("256 x 3 of 4 MiB", [&] {
    std::vector<std::unique_ptr<RawH2>> connections;
    for (int i = 0; i < 64; ++i) {
      auto raw = Raw("operator");
      if (!raw) break;
      for (int j = 0; j < 4; ++j) raw->Message(raw->Headers(kSubmit), message, false, (3u << 20) - 1000);
      raw->Flush(300);
      connections.push_back(std::move(raw));
    }
    EXPECT_EQ(daemon_->Do({"list"}, "operator2").code(), 0);
  });
}

}  // namespace
}  // namespace jobd::e2e
