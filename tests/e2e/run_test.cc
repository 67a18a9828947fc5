// `jobctl run` feels like running it at home.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/harness/suite.h"

namespace jobd::e2e {
namespace {

using namespace std::string_literals;

class RunTest : public DaemonSuite<RunTest> {
 protected:
  static Output Jobctl(std::vector<std::string> args, std::string input = "") {
    args.insert(args.begin(), "run");
    return daemon_->Do(std::move(args), "operator", std::move(input));
  }
};

TEST_F(RunTest, RefusesWhatCannotRun) {
  EXPECT_EQ(Jobctl({}).code(), 2);
  EXPECT_EQ(Jobctl({"--timeout", "soon", "--", "true"}).code(), 2);
  EXPECT_EQ(Jobctl({"--no-such-flag", "--", "true"}).code(), 2);
  const Output relative = Jobctl({"--workdir", "relative", "--", "true"});
  EXPECT_EQ(relative.code(), 2);
  EXPECT_NE(relative.err.find("workdir"), std::string::npos) << relative.err;
  const Output empty = Jobctl({"--", ""});
  EXPECT_EQ(empty.code(), 2);
  EXPECT_NE(empty.err.find("the command"), std::string::npos) << empty.err;
}

TEST_F(RunTest, BothStreamsApartAndTheTrueExitCode) {
  const Output output = Jobctl({"--", "sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(output.out, "out\n");
  EXPECT_EQ(output.err.rfind("err\n", 0), 0u) << output.err;
  EXPECT_EQ(output.code(), 3);
  EXPECT_EQ(Jobctl({"--", "true"}).code(), 0);
  EXPECT_EQ(Jobctl({"--", "sh", "-c", "exit 255"}).code(), 255);
}

TEST_F(RunTest, SignalsTimeoutsAndFailedStarts) {
  EXPECT_EQ(Jobctl({"--", "sh", "-c", "kill -SEGV $$"}).code(), 128 + SIGSEGV);
  EXPECT_EQ(Jobctl({"--timeout", "100ms", "--kill-after", "100ms", "--", "sleep", "1000"}).code(), 124);
  const Output missing = Jobctl({"--", "/no/such/program"});
  EXPECT_EQ(missing.code(), 127);
  EXPECT_NE(missing.err.find("No such file or directory"), std::string::npos) << missing.err;
  EXPECT_EQ(Jobctl({"--", "no-such-program"}).code(), 127);
  EXPECT_EQ(Jobctl({"--", "/etc/passwd"}).code(), 126);
  EXPECT_EQ(Jobctl({"--", "/tmp"}).code(), 126);
  const Output workdir = Jobctl({"--workdir", "/no/such/folder", "--", "true"});
  EXPECT_EQ(workdir.code(), 125);
  EXPECT_NE(workdir.err.find("working directory /no/such/folder: No such file or directory"), std::string::npos) << workdir.err;
  // The program's own 127 is not a failed start.
  EXPECT_EQ(Jobctl({"--", "sh", "-c", "exit 127"}).code(), 127);
}

TEST_F(RunTest, ArgumentsAreBytesAndNothingIsExpanded) {
  const std::vector<std::string> args{"a b", "'\"", ";", "$(id)", "\n", "\xff\xfe", "@/etc/passwd", "--help", "-n--rm", "*", ""};
  std::vector<std::string> command{"--", "printf", "%s\\0"};
  std::string expected;
  for (const std::string& arg : args) {
    command.push_back(arg);
    expected += arg + "\0"s;
  }
  const Output output = Jobctl(command);
  EXPECT_EQ(output.out, expected) << output.err;
}

TEST_F(RunTest, EnvironmentIsBuiltFromEmpty) {
  const Output output = Jobctl({"--id", "env-1", "--env", "A=x y", "--env", "LD_PRELOAD=/none.so", "--", "/usr/bin/env"});
  std::vector<std::string> names;
  std::istringstream lines(output.out);
  for (std::string line; std::getline(lines, line);) names.push_back(line.substr(0, line.find('=')));
  std::erase(names, "JOBD_GROUP");  // without cgroups
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"A", "HOME", "JOBD_ATTEMPT", "JOBD_BATCH_ID", "JOBD_INDEX", "JOBD_JOB_ID", "LANG",
                                             "LD_PRELOAD", "LOGNAME", "PATH", "SHELL", "USER"}))
      << output.out;
  EXPECT_NE(output.out.find("A=x y\n"), std::string::npos);
  EXPECT_NE(output.out.find("JOBD_JOB_ID=env-1/1\n"), std::string::npos) << output.out;
  EXPECT_NE(output.out.find("JOBD_BATCH_ID=env-1\n"), std::string::npos);
  EXPECT_NE(output.out.find("JOBD_ATTEMPT=1\n"), std::string::npos);
}

TEST_F(RunTest, StandardInputIsTheGivenBytes) {
  EXPECT_EQ(Jobctl({"--", "cat"}).out, "");
  const std::string input = "\0\xff binary\n no newline"s;
  EXPECT_EQ(Jobctl({"--stdin", "-", "--", "cat"}, input).out, input);
}

TEST_F(RunTest, TheJobHasThreeDescriptorsNoTerminalAndNoPrivilege) {
  const Output fds = Jobctl({"--", "sh", "-c", "ls /proc/$$/fd"});
  EXPECT_EQ(fds.out, "0\n1\n2\n");
  const Output ids =
      Jobctl({"--", "sh", "-c", "id -u; grep -E 'CapEff|CapBnd' /proc/self/status; ulimit -c; cat /proc/self/oom_score_adj"});
  EXPECT_NE(ids.out.substr(0, 2), "0\n") << "never root unless policy names it";
  EXPECT_NE(ids.out.find("CapEff:\t0000000000000000"), std::string::npos) << ids.out;
  EXPECT_NE(Jobctl({"--", "sh", "-c", ": < /dev/tty"}).code(), 0);
}

TEST_F(RunTest, RunAsRootIsRefused) {
  for (const char* user : {"root", "0", "#0", "-1", "4294967295", "nobody\n", "no-such-user"}) {
    const Output output = Jobctl({"--user", user, "--", "id"});
    EXPECT_TRUE(output.code() == 2 || output.code() == 125) << user << output.code() << output.out;
    EXPECT_EQ(output.out, "") << user;
  }
}

TEST_F(RunTest, DetachedPrintsOnlyTheId) {
  const Output output = Jobctl({"-d", "--id", "only-the-id", "--", "echo", "x"});
  EXPECT_EQ(output.out, "only-the-id\n");
  EXPECT_EQ(output.code(), 0);
  EXPECT_EQ(daemon_->Do({"wait", "only-the-id"}).code(), 0);
}

TEST_F(RunTest, FirstCtrlCInterruptsTheJob) {
  Process run(
      daemon_->Ctl({"run", "--", "sh", "-c", "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.01; done"}));
  ASSERT_TRUE(run.WaitForOutput("ready"));
  run.Signal(SIGINT);
  const Output output = run.Finish();
  EXPECT_EQ(output.out, "ready\ninterrupted\n");
  EXPECT_EQ(output.code(), 9) << output.err;
}

TEST_F(RunTest, SecondCtrlCEndsTheTree) {
  Process run(daemon_->Ctl(
      {"run", "--kill-after", "100ms", "--", "sh", "-c", "trap '' INT TERM; echo ready; while :; do sleep 0.01; done"}));
  ASSERT_TRUE(run.WaitForOutput("ready"));
  run.Signal(SIGINT);
  ASSERT_TRUE(run.WaitForError("again"));
  run.Signal(SIGINT);
  const Output output = run.Finish();
  EXPECT_GE(output.code(), 128) << output.err;
}

TEST_F(RunTest, QuitIsPassedOn) {
  Process run(daemon_->Ctl({"run", "--", "sh", "-c", "trap 'echo quit; exit 7' QUIT; echo ready; while :; do sleep 0.01; done"}));
  ASSERT_TRUE(run.WaitForOutput("ready"));
  run.Signal(SIGQUIT);
  const Output output = run.Finish();
  EXPECT_EQ(output.out, "ready\nquit\n");
  EXPECT_EQ(output.code(), 7) << output.err;
}

TEST_F(RunTest, TextsThatAreNoUtf8AreAUsageError) {
  for (const char* option : {"--name", "--profile", "--user"}) {
    const Output output = Jobctl({option, "\xff\xfe", "--", "true"});
    EXPECT_EQ(output.code(), 2) << option << output.err;
    EXPECT_NE(output.err.find("is not UTF-8"), std::string::npos) << output.err;
    EXPECT_NE(output.err.find(option + 2), std::string::npos) << output.err;
  }
}

// A daemon of its own, which goes for good.
TEST(RunWithoutJobd, TermLeavesWhenTheJobCannotBeCancelled) {
  Daemon daemon;
  ASSERT_TRUE(daemon.Start()) << daemon.log();
  Process run(daemon.Ctl({"run", "--connect-timeout", "300ms", "--id", "left", "--", "sh", "-c", "echo ready; sleep 1000"}));
  ASSERT_TRUE(run.WaitForOutput("ready"));
  daemon.Stop();
  run.Signal(SIGTERM);
  const Output output = run.Finish();
  EXPECT_EQ(output.code(), 125) << output.err;
  EXPECT_NE(output.err.find("jobctl cancel left"), std::string::npos) << output.err;
  ASSERT_TRUE(daemon.Start()) << daemon.log();
}

TEST_F(RunTest, OutcomeIsData) {
  const std::string id = daemon_->Ok({"run", "-d", "--", "sh", "-c", "exit 3"});
  EXPECT_EQ(daemon_->Do({"wait", id}).code(), 3);
  const auto status = nlohmann::json::parse(daemon_->Ok({"status", "--json", id}));
  const auto& job = status.at("jobs").at(0);
  EXPECT_EQ(job.at("state"), "FAILED");
  EXPECT_EQ(job.at("exit_code"), 3);
  EXPECT_TRUE(job.at("signal").is_null());
  EXPECT_EQ(job.at("reason").at("text"), "exit 3");
}

TEST_F(RunTest, FullStandardOutputIsAnError) {
  Command command = daemon_->Ctl({"run", "--", "echo", "hello"});
  command.argv.insert(command.argv.begin(), {"/bin/sh", "-c", "exec \"$0\" \"$@\" >/dev/full"});
  const Output output = RunCommand(command);
  EXPECT_EQ(output.code(), 125) << output.err;
}

}  // namespace
}  // namespace jobd::e2e
