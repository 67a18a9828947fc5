// Few descriptors: what there is room for runs, the rest waits, and nothing fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/e2e/harness/daemon.h"

namespace jobd::e2e {
namespace {

nlohmann::json ServiceStatus(const Daemon& daemon) {
  return nlohmann::json::parse(daemon.Ok({"admin", "status", "--json"}, "admin"));
}

TEST(FaultA16, WithFewDescriptorsAllJobsRunAndMoreWait) {
  constexpr int kJobs = 200;
  // The soft limit alone is raised by both; the hard one is what there is.
  Daemon daemon({"[limits]\nmax_running = 1000\n", {}, "", {"/usr/bin/prlimit", "--nofile=64:256"}});
  ASSERT_TRUE(daemon.Start()) << daemon.log();
  const auto slots = ServiceStatus(daemon).at("slots").get<int>();
  EXPECT_GT(slots, 20);
  EXPECT_LT(slots, 200);
  std::string lines;
  for (int i = 0; i < kJobs; ++i) lines += "while ! test -e gate; do sleep 0.5; done; echo done\n";
  const std::string id = daemon.Ok({"submit", "-f", "-"}, "operator", lines);
  ASSERT_TRUE(WaitUntil([&] { return ServiceStatus(daemon).at("running") == slots; })) << ServiceStatus(daemon);
  EXPECT_EQ(ServiceStatus(daemon).at("queued"), kJobs - slots);
  // Single batches, each with a file and a watch of its own, and followers beside them.
  for (int i = 0; i < 30; ++i) daemon.Ok({"run", "-d", "--id", "single-" + std::to_string(i), "--", "true"});
  EXPECT_EQ(daemon.Do({"logs", id}).code(), 0);
  // The server that comes back has as few.
  daemon.KillServer();
  EXPECT_EQ(ServiceStatus(daemon).at("running"), slots);
  WriteFile(daemon.ShareDir() + "/gate", "");
  EXPECT_EQ(daemon.Do({"wait", id}).code(), 0);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(daemon.Do({"wait", "single-" + std::to_string(i)}).code(), 0);
  const auto finished = ServiceStatus(daemon).at("finished");
  for (const char* state : {"FAILED", "LOST", "CANCELLED"}) EXPECT_EQ(finished.value(state, 0), 0) << finished;
  const Output logs = daemon.Do({"logs", id});
  EXPECT_EQ(static_cast<int>(std::count(logs.out.begin(), logs.out.end(), '\n')), kJobs) << logs.err;
}

}  // namespace
}  // namespace jobd::e2e
