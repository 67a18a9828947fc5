// Output: exact, live, found again from any place.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/harness/suite.h"

namespace jobd::e2e {
namespace {

class LogsTest : public DaemonSuite<LogsTest> {
 public:
  static DaemonOptions Options() { return {"[limits]\nmax_running = 4\n", {}, ""}; }

 protected:
  static std::string Detached(const std::string& script, std::vector<std::string> options = {}) {
    options.insert(options.begin(), {"run", "-d"});
    options.insert(options.end(), {"--", "sh", "-c", script});
    return daemon_->Ok(options);
  }
  // SHA-256 of what a shell command line prints; jobctl's environment is set.
  static std::string ShaOf(const std::string& script) {
    Command command = daemon_->Ctl({});
    command.argv = {"/bin/bash", "-c", script + " | sha256sum | cut -d' ' -f1"};
    std::string sum = RunCommand(command, Seconds(300)).out;
    if (!sum.empty()) sum.pop_back();
    return sum;
  }
};

TEST_F(LogsTest, RefusesWhatMakesNoSense) {
  const std::string id = Detached("echo x");
  EXPECT_EQ(daemon_->Do({"logs", "-n", "many", id}).code(), 2);
  EXPECT_EQ(daemon_->Do({"logs", "--since", "soon", id}).code(), 2);
  EXPECT_EQ(daemon_->Do({"logs", "--cursor", "garbage", id}).code(), 2);
  EXPECT_EQ(daemon_->Do({"logs", id + "/0"}).code(), 2);
  EXPECT_EQ(daemon_->Do({"logs", id + "/99"}).code(), 3);
  EXPECT_EQ(daemon_->Do({"logs", "../../etc/passwd"}).code(), 3) << "a batch may be called so";
}

TEST_F(LogsTest, FirstByteOfAShortProcessAndALastLineWithoutNewline) {
  const std::string id = Detached("printf 'no newline'");
  daemon_->Ok({"wait", id});
  EXPECT_EQ(daemon_->Do({"logs", id}).out, "no newline");
  EXPECT_EQ(daemon_->Do({"logs", "-f", id}).out, "no newline");
}

TEST_F(LogsTest, OneGigabyteOfRandomBytesOnBothStreams) {
  const std::string sums = daemon_->ShareDir();
  const std::string id =
      daemon_->Ok({"run", "-d", "--", "bash", "-c",
                   "head -c 536870912 /dev/urandom | tee >(sha256sum | cut -d' ' -f1 >" + sums +
                       "/out) & head -c 536870912 /dev/urandom | tee >(sha256sum | "
                       "cut -d' ' -f1 >" +
                       sums + "/err) >&2 & wait; while ! test -s " + sums + "/out -a -s " + sums + "/err; do sleep 0.01; done"});
  const std::string jobctl = Binary("jobctl");
  const std::string followed = ShaOf(jobctl + " logs -f --raw --stdout " + id);
  daemon_->Ok({"wait", id});
  std::string out = ReadFileOrEmpty(sums + "/out");
  std::string err = ReadFileOrEmpty(sums + "/err");
  ASSERT_EQ(out.size(), 65u);
  ASSERT_EQ(err.size(), 65u);
  out.pop_back();
  err.pop_back();
  EXPECT_EQ(followed, out);
  EXPECT_EQ(ShaOf(jobctl + " logs --raw --stdout " + id), out);
  EXPECT_EQ(ShaOf(jobctl + " logs --raw --stderr " + id + " 2>&1"), err);
  EXPECT_EQ(ShaOf("cat " + daemon_->LogDir() + "/operator/" + id + "/1.out"), out);
  daemon_->Ok({"rm", id});
}

TEST_F(LogsTest, FollowGoesOnUntilTheEndAndSaysHowItEnded) {
  const std::string gate = daemon_->ShareDir() + "/gate";
  const std::string id = Detached("echo first; while ! test -e " + gate + "; do sleep 0.01; done; echo second; exit 5");
  Process follower(daemon_->Ctl({"logs", "-f", id}));
  ASSERT_TRUE(follower.WaitForOutput("first\n"));
  WriteFile(gate, "");
  const Output output = follower.Finish();
  EXPECT_EQ(output.out, "first\nsecond\n");
  EXPECT_NE(output.err.find("exit 5"), std::string::npos) << output.err;
  EXPECT_EQ(output.code(), 0);
}

TEST_F(LogsTest, FollowLeavesWithItsReader) {
  const std::string id = Detached("echo only; sleep 1000");
  Command command = daemon_->Ctl({"logs", "-f", id});
  // The job prints nothing more: no write would fail.
  command.argv.insert(command.argv.begin(), {"/bin/bash", "-c", "\"$0\" \"$@\" | head -n 1; echo ${PIPESTATUS[0]}"});
  const Output output = RunCommand(command);
  EXPECT_EQ(output.out, "only\n141\n") << output.err;
  daemon_->Ok({"cancel", "-t", "0s", id});
}

TEST_F(LogsTest, FollowOfAQueuedJobWaits) {
  const std::string blockers = daemon_->Ok({"submit", "-f", "-"}, "operator", "sleep 1000\nsleep 1000\nsleep 1000\nsleep 1000\n");
  const std::string id = Detached("echo at last");
  Process follower(daemon_->Ctl({"logs", "-f", id}));
  ASSERT_TRUE(WaitUntil([&] { return daemon_->Ok({"status", "--json", id}).find("QUEUED") != std::string::npos; }));
  daemon_->Ok({"cancel", "-t", "0s", blockers});
  EXPECT_EQ(follower.Finish().out, "at last\n");
}

TEST_F(LogsTest, TailSinceAndFollowCombine) {
  const std::string gate = daemon_->ShareDir() + "/gate-tail";
  const std::string id = Detached("seq 1 1000; while ! test -e " + gate + "; do sleep 0.01; done; echo end");
  ASSERT_TRUE(WaitUntil([&] { return daemon_->Ok({"logs", id}).ends_with("1000"); }));
  Process follower(daemon_->Ctl({"logs", "-f", "-n", "3", id}));
  ASSERT_TRUE(follower.WaitForOutput("1000\n"));
  EXPECT_EQ(follower.out(), "998\n999\n1000\n");
  EXPECT_EQ(daemon_->Do({"logs", "-n", "2", id}).out, "999\n1000\n");
  EXPECT_EQ(daemon_->Do({"logs", "-n", "0", id}).out, "");
  WriteFile(gate, "");
  EXPECT_EQ(follower.Finish().out, "998\n999\n1000\nend\n");
  EXPECT_EQ(daemon_->Do({"logs", "--since", "1h", "-n", "1", id}).out, "end\n") << "the later of both";
  EXPECT_EQ(daemon_->Do({"logs", "--until", "2020-01-01T00:00:00Z", id}).out, "");
  EXPECT_EQ(daemon_->Do({"logs", "--since", "1h", "--stderr", id}).out, "");
}

TEST_F(LogsTest, ABatchIsMergedInOrderOfArrivalWithAPrefix) {
  const std::string turn = daemon_->ShareDir() + "/turn";
  const auto wait = [&](int n) { return "while ! test -e " + turn + std::to_string(n) + "; do sleep 0.01; done; "; };
  const auto pass = [&](int n) { return "sleep 0.05; touch " + turn + std::to_string(n) + "; "; };
  const std::string id = daemon_->Ok({"submit", "-f", "-"}, "operator",
                                     "echo a1; " + pass(1) + wait(2) + "echo a2\n" + wait(1) + "echo b1; " + pass(2) + "true\n");
  daemon_->Ok({"wait", id});
  const Output merged = daemon_->Do({"logs", id});
  std::vector<std::string> lines;
  std::istringstream in(merged.out);
  for (std::string line; std::getline(in, line);) lines.push_back(line.substr(line.size() - 2));
  EXPECT_EQ(lines, (std::vector<std::string>{"a1", "b1", "a2"})) << merged.out;
  EXPECT_NE(merged.out.find('1'), std::string::npos);
}

TEST_F(LogsTest, OutputLimitCutsAndSaysSo) {
  Daemon small({"[limits]\nmax_output_bytes = 1000\n", {}, ""});
  ASSERT_TRUE(small.Start()) << small.log();
  const std::string id = small.Ok({"run", "-d", "--", "sh", "-c", "seq 1 100000"});
  EXPECT_EQ(small.Do({"wait", id}).code(), 0);
  EXPECT_EQ(small.Do({"logs", "--raw", "--stdout", id}).out.size(), 1000u);
  const auto job = nlohmann::json::parse(small.Ok({"status", "--json", id})).at("jobs").at(0);
  EXPECT_EQ(job.at("stdout_bytes"), 1000);
  EXPECT_EQ(job.at("dropped_bytes"), 588895 - 1000);
}

TEST_F(LogsTest, EscapesReachAPipeAsTheyAre) {
  const std::string id = Detached("printf '\\033[31mred\\007'");
  daemon_->Ok({"wait", id});
  EXPECT_EQ(daemon_->Do({"logs", id}).out, "\x1b[31mred\x07");
}

TEST_F(LogsTest, ASlowFollowerSlowsNobody) {
  const std::string id = Detached("seq 1 3000000");
  // Nobody reads what it prints: its pipe stays full.
  const Process stalled(daemon_->Ctl({"logs", "-f", id}));
  EXPECT_EQ(daemon_->Do({"wait", id}).code(), 0);
  EXPECT_EQ(ShaOf(Binary("jobctl") + " logs " + id), ShaOf("seq 1 3000000"));
}

TEST_F(LogsTest, FaultC11LastLinesAndATimeTogether) {
  // Each line arrives by itself.
  const std::string id = daemon_->Ok({"run", "-d", "--", "sh", "-c", "for i in 1 2 3 4; do echo $i; sleep 0.05; done"});
  ASSERT_EQ(daemon_->Do({"wait", id}).code(), 0);
  std::vector<std::string> times;
  std::istringstream lines(daemon_->Ok({"logs", "-t", id}));
  for (std::string line; std::getline(lines, line);) times.push_back(line.substr(0, line.find(' ')));
  ASSERT_EQ(times.size(), 4u);
  EXPECT_EQ(daemon_->Ok({"logs", "--since", times[2], id}), "3\n4");
  EXPECT_EQ(daemon_->Ok({"logs", "--since", times[2], "-n", "10", id}), "3\n4") << "the time is later";
  EXPECT_EQ(daemon_->Ok({"logs", "-n", "1", "--since", times[0], id}), "4") << "the line is";
  EXPECT_EQ(daemon_->Ok({"logs", "-n", "all", "--since", times[3], id}), "4");
  EXPECT_EQ(daemon_->Ok({"logs", "--since", "-1h", "-n", "2", id}), "3\n4");
  EXPECT_EQ(daemon_->Ok({"logs", "--since", "1700000000", "--until", "yesterday", id}), "") << "seconds since 1970";
  EXPECT_EQ(daemon_->Do({"logs", "-n", "1", "--cursor", "x", id}).code(), 2);
}

}  // namespace
}  // namespace jobd::e2e
