// Killed and restarted, nothing is lost and nothing is started twice.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <vector>

#include "tests/e2e/harness/daemon.h"

namespace jobd::e2e {
namespace {

// The parameter: is jobd-server started by somebody else?
class RestartTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { ASSERT_TRUE(daemon_.Start()) << daemon_.log(); }

  nlohmann::json Status(const std::string& id) { return nlohmann::json::parse(daemon_.Ok({"status", "--json", id})); }
  std::string Shared(const std::string& name) {
    const std::string path = daemon_.ShareDir() + "/" + name;
    WriteFile(path, "");
    ::chmod(path.c_str(), 0666);
    return path;
  }

  Daemon daemon_{{"[limits]\nmax_running = 4\n", {}, "", {}, GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(Server, RestartTest, testing::Bool(),
                         [](const auto& server) { return server.param ? "External" : "Child"; });

class ManyRestartsTest : public RestartTest {};
INSTANTIATE_TEST_SUITE_P(Server, ManyRestartsTest, testing::Values(false), [](const auto&) { return "Child"; });

TEST_P(RestartTest, ServerKilledWithJobsRunningAndAFollowerAttached) {
  const std::string gate = daemon_.ShareDir() + "/gate";
  const std::string id =
      daemon_.Ok({"run", "-d", "--", "sh", "-c",
                  "i=0; while ! test -e " + gate + "; do i=$((i+1)); echo $i; sleep 0.005; done; echo done; exit 6"});
  Process follower(daemon_.Ctl({"logs", "-f", id}));
  Process waiter(daemon_.Ctl({"wait", id}));
  ASSERT_TRUE(follower.WaitForOutput("20\n"));
  daemon_.KillServer();
  const size_t before = follower.out().size();
  ASSERT_TRUE(WaitUntil([&] { return follower.WaitForOutput("\n", Seconds(1)) && follower.out().size() >= before; }));
  WriteFile(gate, "");
  const Output followed = follower.Finish();
  EXPECT_EQ(followed.code(), 0) << followed.err;
  EXPECT_EQ(followed.out, daemon_.Do({"logs", id}).out) << "a cut follow loses and repeats nothing";
  EXPECT_NE(followed.out.find("done\n"), std::string::npos);
  EXPECT_EQ(waiter.Finish().code(), 6);
}

TEST_P(RestartTest, FaultG7SignalsThatMeanNothingEndNeitherDaemonNorReachJobs) {
  const pid_t launcher = daemon_.LauncherPid();
  const pid_t server = daemon_.ServerPid();
  std::vector<int> stray{SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT};
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) stray.push_back(signal);
  for (const int signal : stray) {
    ::kill(launcher, signal);
    ::kill(server, signal);
    EXPECT_EQ(daemon_.Do({"whoami"}).code(), 0) << signal;
  }
  EXPECT_EQ(daemon_.LauncherPid(), launcher);
  EXPECT_EQ(daemon_.ServerPid(), server);
  // A job has them as any process has, of the first shim and of one that is used again.
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(daemon_.Ok({"run", "--", "grep", "SigIgn", "/proc/self/status"}), "SigIgn:\t0000000000000000");
    EXPECT_EQ(daemon_.Do({"run", "--", "sh", "-c", "kill -s USR1 $$; exit 0"}).code(), 128 + SIGUSR1);
  }
}

TEST_P(RestartTest, LauncherKilledAndJobsThatEndMeanwhile) {
  const std::string gate = daemon_.ShareDir() + "/gate";
  const std::string ended = Shared("ended");
  const std::string lines = "while ! test -e " + gate + "; do sleep 0.01; done; echo late; echo x >>" + ended + "; exit 3\n" +
                            "while ! test -e " + gate + "2; do sleep 0.01; done; echo later; exit 4\n";
  const std::string id = daemon_.Ok({"submit", "-f", "-"}, "operator", lines);
  ASSERT_TRUE(WaitUntil([&] {
    const auto jobs = Status(id).at("jobs");
    return jobs.at(0).at("state") == "RUNNING" && jobs.at(1).at("state") == "RUNNING";
  }));
  daemon_.KillLauncher();
  WriteFile(gate, "");
  ASSERT_TRUE(WaitUntil([&] { return ReadFileOrEmpty(ended) == "x\n"; })) << "jobs run on without any daemon";
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  WriteFile(gate + "2", "");
  EXPECT_EQ(daemon_.Do({"wait", id}).code(), 4);
  const auto jobs = Status(id).at("jobs");
  EXPECT_EQ(jobs.at(0).at("exit_code"), 3);
  EXPECT_EQ(jobs.at(1).at("exit_code"), 4);
  EXPECT_EQ(daemon_.Do({"logs", id + "/1"}).out, "late\n");
  EXPECT_EQ(daemon_.Do({"logs", id + "/2"}).out, "later\n");
}

TEST_P(RestartTest, StoppedAndStartedAgain) {
  const std::string gate = daemon_.ShareDir() + "/gate";
  const std::string id = daemon_.Ok({"run", "-d", "--", "sh", "-c", "while ! test -e " + gate + "; do sleep 0.01; done; exit 2"});
  ASSERT_TRUE(WaitUntil([&] { return Status(id).at("jobs").at(0).at("state") == "RUNNING"; }));
  EXPECT_EQ(daemon_.Stop().code(), 0) << "SIGTERM stops the service, not the jobs";
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  EXPECT_EQ(Status(id).at("jobs").at(0).at("state"), "RUNNING");
  WriteFile(gate, "");
  EXPECT_EQ(daemon_.Do({"wait", id}).code(), 2);
}

TEST_P(RestartTest, ShimKilledMakesItsJobLostAndNoOther) {
  const std::string stubborn = daemon_.Payload("stubborn");
  const std::string id = daemon_.Ok({"submit", "-f", "-"}, "operator", stubborn + " stay\ntrue\n");
  Process follower(daemon_.Ctl({"logs", "-f", id + "/1"}));
  ASSERT_TRUE(follower.WaitForOutput("\n"));
  ASSERT_TRUE(WaitUntil([&] { return ChildrenNamed(daemon_.LauncherPid(), "jobd-shim").size() == 1; }));
  ::kill(ChildrenNamed(daemon_.LauncherPid(), "jobd-shim").front(), SIGKILL);
  EXPECT_NE(daemon_.Do({"wait", id}).code(), 0);
  const auto jobs = Status(id).at("jobs");
  EXPECT_EQ(jobs.at(0).at("state"), "LOST") << jobs.at(0);
  EXPECT_EQ(jobs.at(1).at("state"), "SUCCEEDED");
  EXPECT_FALSE(AnyProcessRuns(stubborn)) << "a lost job leaves nothing behind";
  EXPECT_EQ(follower.Finish().code(), 0) << "followers are told";
}

TEST_P(ManyRestartsTest, TenThousandJobsWhileTheServerIsKilledAtRandom) {
  const std::string started = Shared("started");
  std::string lines;
  for (int i = 0; i < 10'000; ++i) {
    lines += "{\"argv\": [\"/bin/sh\", \"-c\", \"echo $JOBD_INDEX.$JOBD_ATTEMPT >>" + started + "; exit $((JOBD_INDEX % 3))\"]}\n";
  }
  const std::string id = daemon_.Ok({"submit", "-f", "-"}, "operator", lines);
  std::mt19937 random(20240517);
  for (int kills = 0; kills < 10; ++kills) {
    // At a random amount of progress, not of time.
    const size_t mark = ReadFileOrEmpty(started).size() + random() % 4000;
    ASSERT_TRUE(WaitUntil([&] { return ReadFileOrEmpty(started).size() >= mark; })) << daemon_.log();
    daemon_.KillServer();
  }
  EXPECT_EQ(daemon_.Do({"wait", id}, "operator", "", Seconds(400)).code(), 2);
  std::map<std::string, int> starts;
  std::istringstream in(ReadFileOrEmpty(started));
  for (std::string line; std::getline(in, line);) ++starts[line];
  EXPECT_EQ(starts.size(), 10'000u);
  for (const auto& [job, count] : starts) EXPECT_EQ(count, 1) << job;
  int accounted = 0;
  const auto status = Status(id);
  for (const auto& job : status.at("jobs")) {
    const int index = job.at("index");
    EXPECT_EQ(job.at("state"), index % 3 == 0 ? "SUCCEEDED" : "FAILED") << job;
    EXPECT_EQ(job.at("exit_code"), index % 3) << job;
    ++accounted;
  }
  EXPECT_EQ(accounted, 10'000);
}

TEST_P(RestartTest, SubmissionsAcrossRestartsExistOnce) {
  // Clients repeat with the same ID until they are answered; the server is killed under them.
  std::vector<Process> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(daemon_.Ctl({"run", "--id", "once-" + std::to_string(i), "--", "sh", "-c", "echo $JOBD_ATTEMPT"}));
    if (i % 5 == 4) daemon_.KillServer();
  }
  for (Process& client : clients) {
    const Output output = client.Finish();
    EXPECT_EQ(output.code(), 0) << output.err;
    EXPECT_EQ(output.out, "1\n");
  }
}

}  // namespace
}  // namespace jobd::e2e
