// Floods: of submissions, of what waits, of processes and of output. The service stays small and quick, and others are served.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/e2e/api/api.h"
#include "tests/e2e/harness/suite.h"

namespace jobd::e2e {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr int kCallers = 64;

class FloodTest : public DaemonSuite<FloodTest> {
 public:
  static DaemonOptions Options() { return {"[limits]\nmax_running = 8\nmax_output_bytes = \"1M\"\n", {}, ""}; }

 protected:
  static nlohmann::json Status(const std::string& id) { return nlohmann::json::parse(daemon_->Ok({"status", "--json", id})); }
  static uint64_t Queued() { return nlohmann::json::parse(daemon_->Ok({"admin", "status", "--json"}, "admin")).at("queued"); }
  // Prints how long `work` took.
  template <typename Work>
  static void Timed(const char* what, Work work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    std::printf("%s: %ld ms\n", what, static_cast<long>(took.count()));
  }
  static void ExpectSmall(uint64_t most) {
    const uint64_t now = MemoryOf(daemon_->ServerPid(), "VmRSS");
    std::printf("server: %lu MiB\n", now / kMiB);
    EXPECT_LT(now, most);
  }
  // So many calls at once, over a few connections: work(call, stub).
  template <typename Work>
  static void FromManyCallers(int calls, Work work) {
    std::atomic<int> next{0};
    std::vector<std::shared_ptr<grpc::Channel>> channels;
    for (int i = 0; i < 4; ++i) channels.push_back(Connect(*daemon_));
    std::vector<std::thread> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([&, caller] {
        const auto stub = v1::JobScheduleService::NewStub(channels[static_cast<size_t>(caller) % channels.size()]);
        for (int call = 0; (call = next++) < calls;) work(call, *stub);
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  static grpc::Status Submit(v1::JobScheduleService::Stub& stub, const std::string& id, bool hold, const std::string& script) {
    v1::ExecuteJobRequest request;
    request.mutable_options()->set_correlation_id(id);
    request.mutable_options()->set_hold(hold);
    *request.mutable_job() = ShellJob(script);
    v1::ExecuteJobResponse response;
    grpc::ClientContext context;
    return stub.ExecuteJob(&context, request, &response);
  }
};

TEST_F(FloodTest, TenThousandSubmissionsFrom64Callers) {
  constexpr int kSubmissions = 10'000;
  std::atomic<int> refused{0};
  std::thread other([] { EXPECT_EQ(daemon_->Do({"run", "--", "echo", "served"}, "operator2").out, "served\n"); });
  Timed("10,000 submissions", [&] {
    FromManyCallers(kSubmissions, [&](int call, v1::JobScheduleService::Stub& stub) {
      if (!Submit(stub, "flood-" + std::to_string(call), true, "true").ok()) ++refused;
    });
  });
  other.join();
  EXPECT_EQ(refused, 0);
  ExpectSmall(300 * kMiB);
  const auto query = v1::JobQueryService::NewStub(Connect(*daemon_));
  v1::ListBatchesRequest request;
  request.set_page_size(1000);
  size_t found = 0;
  do {
    v1::ListBatchesResponse page;
    grpc::ClientContext context;
    ASSERT_TRUE(query->ListBatches(&context, request, &page).ok());
    for (const auto& batch : page.batches()) found += batch.correlation_id().starts_with("flood-") ? 1u : 0u;
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(found, size_t{kSubmissions});
}

TEST_F(FloodTest, TwoHundredSubmissionsOfTheSameIdAreOneJob) {
  const std::string started = daemon_->ShareDir() + "/started";
  std::atomic<int> refused{0};
  FromManyCallers(200, [&](int /*call*/, v1::JobScheduleService::Stub& stub) {
    if (!Submit(stub, "same", false, "umask 0; echo x >>" + started).ok()) ++refused;
  });
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(daemon_->Do({"wait", "same"}).code(), 0);
  EXPECT_EQ(ReadFileOrEmpty(started), "x\n");
}

TEST_F(FloodTest, QuickAndSmallWithTwoHundredThousandJobsInTheQueue) {
  const std::string gate = daemon_->ShareDir() + "/gate";
  std::string gated;
  for (int i = 0; i < 8; ++i) gated += "while ! test -e " + gate + "; do sleep 0.05; done\n";
  const std::string first = daemon_->Ok({"submit", "-f", "-"}, "operator", gated);
  std::string lines;
  for (int i = 0; i < 100'000; ++i) lines += "sleep 1000\n";
  Timed("submitting 200,000 jobs", [&] {
    daemon_->Ok({"submit", "--id", "long-1", "-f", "-"}, "operator", lines);
    daemon_->Ok({"submit", "--id", "long-2", "--parallel", "4", "-f", "-"}, "operator", lines);
  });
  EXPECT_GE(Queued(), 200'000u);
  Timed("list", [] { daemon_->Ok({"list"}); });
  Timed("admin status", [] { daemon_->Ok({"admin", "status"}, "admin"); });
  Timed("one job's status", [] { daemon_->Ok({"status", "long-2/99999"}); });
  ExpectSmall(300 * kMiB);
  Process other(daemon_->Ctl({"run", "--", "echo", "my turn"}, "operator2"));
  WriteFile(gate, "");
  daemon_->Ok({"wait", first});
  // Eight of the flood may hold the slots by now; the other user is next.
  for (int i = 1; i <= 8; ++i) (void)daemon_->Do({"cancel", "-t", "0s", "long-1/" + std::to_string(i)});
  EXPECT_EQ(other.Finish().out, "my turn\n");
  EXPECT_GE(Queued(), 199'000u) << "and was served before them";
  Timed("restart", [] { daemon_->KillServer(); });
  EXPECT_GE(Queued(), 199'000u);
  ExpectSmall(300 * kMiB);
  Timed("cancelling them", [] {
    daemon_->Ok({"cancel", "-t", "0s", "long-1"});
    daemon_->Ok({"cancel", "-t", "0s", "long-2"});
  });
  (void)daemon_->Do({"wait", "long-1", "long-2"});
  EXPECT_EQ(Status("long-2").at("jobs").at(99'999).at("state"), "CANCELLED");
}

TEST_F(FloodTest, AHundredJobsLeaveAThousandProcessesEach) {
  const std::string eat = daemon_->Payload("eat");
  std::string lines;
  for (int i = 0; i < 100; ++i)
    lines += "{\"argv\": [\"" + eat + "\", \"processes\", \"1000\"], \"pids\": 1100, \"profile\": \"open\"}\n";
  Timed("100 x 1,000 processes", [&] {
    // Four at once: a machine may hold few more than ten thousand processes.
    const std::string id = daemon_->Ok({"submit", "--parallel", "4", "-f", "-"}, "operator", lines);
    EXPECT_EQ(daemon_->Do({"wait", id}).code(), 0);
    const auto status = Status(id);
    for (const auto& job : status.at("jobs")) EXPECT_EQ(job.at("state"), "SUCCEEDED") << job;
  });
  EXPECT_FALSE(AnyProcessRuns(eat)) << "what is over leaves nothing behind";
  EXPECT_TRUE(WaitUntil([] { return ChildrenNamed(daemon_->LauncherPid(), "jobd-shim").empty(); }));
}

TEST_F(FloodTest, AForkBombIsItsOwnersAloneAndEndsWhenTold) {
  const std::string shell = daemon_->ShareDir() + "/bomb-sh";
  EXPECT_EQ(RunCommand({{"/bin/cp", "/bin/sh", shell}, {}, {}, "/"}).code(), 0);
  const std::string id =
      daemon_->Ok({"run", "-d", "--pids", "300", "--", shell, "-c", "echo lit; b() { b | b & }; while :; do b; done"});
  EXPECT_TRUE(WaitUntil([&] { return daemon_->Do({"logs", "--stdout", id}).out == "lit\n"; }));
  EXPECT_EQ(daemon_->Do({"run", "--", "echo", "unmoved"}, "operator2").out, "unmoved\n");
  Timed("cancel of a fork bomb", [&] {
    daemon_->Do({"cancel", "-t", "0s", id});
    (void)daemon_->Do({"wait", id});
  });
  EXPECT_FALSE(AnyProcessRuns(shell));
  EXPECT_EQ(daemon_->Do({"run", "--", "true"}).code(), 0);
}

TEST_F(FloodTest, EndlessOutputIsCutAtItsLimitCountedAndTakesNoMemory) {
  const std::string id = daemon_->Ok({"run", "-d", "--", "yes"});
  ASSERT_TRUE(WaitUntil([&] { return Status(id).at("jobs").at(0).at("state") == "RUNNING"; }));
  ASSERT_TRUE(WaitUntil([] { return ChildrenNamed(daemon_->LauncherPid(), "jobd-shim").size() == 1; }));
  const pid_t shim = ChildrenNamed(daemon_->LauncherPid(), "jobd-shim").front();
  const std::string file = daemon_->LogDir() + "/operator/" + id + "/1.";
  ASSERT_TRUE(WaitUntil([&] { return ReadFileOrEmpty(file + "out").size() == kMiB; }));
  // It prints on: the shim has read far more than it keeps.
  const std::string io = "/proc/" + std::to_string(shim) + "/io";
  const auto read = [&] { return std::strtoull(ReadFileOrEmpty(io).c_str() + std::string("rchar: ").size(), nullptr, 10); };
  ASSERT_TRUE(WaitUntil([&] { return read() > 512 * kMiB; }));
  const uint64_t memory = MemoryOf(shim, "VmHWM");
  std::printf("shim: %lu KiB\n", memory / 1024);
  EXPECT_LT(memory, 8 * kMiB);
  daemon_->Ok({"cancel", "-t", "0s", id});
  (void)daemon_->Do({"wait", id});
  const auto job = Status(id).at("jobs").at(0);
  EXPECT_GT(job.at("dropped_bytes"), 500 * kMiB) << job;
  EXPECT_EQ(ReadFileOrEmpty(file + "out").size(), kMiB);
  EXPECT_LE(ReadFileOrEmpty(file + "idx").size(), 64u * 1024);
  EXPECT_EQ(daemon_->Do({"logs", id}).out.size(), kMiB);
}

}  // namespace
}  // namespace jobd::e2e
