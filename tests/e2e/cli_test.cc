// jobctl as a tool among tools: usage, contexts, pipes.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/e2e/harness/suite.h"

namespace jobd::e2e {
namespace {

Output Jobctl(std::vector<std::string> args, std::vector<std::pair<std::string, std::string>> env = {}) {
  args.insert(args.begin(), Binary("jobctl"));
  return RunCommand({std::move(args), std::move(env), {}, "/"});
}

TEST(Cli, WrongUsageIsTwoAndSaysWhatToDo) {
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {}, {"frobnicate"}, {"run"}, {"status", "--bogus"}, {"list", "--limit", "x"}, {"logs"}, {"kill", "x"}}) {
    const Output output = Jobctl(args);
    EXPECT_EQ(output.code(), 2) << testing::PrintToString(args);
    EXPECT_TRUE(output.out.empty());
    EXPECT_FALSE(output.err.empty());
  }
}

TEST(Cli, HelpVersionAndCompletionNeedNoDaemon) {
  for (const std::string verb : {"run", "submit", "status", "list", "logs", "wait", "cancel", "kill", "retry", "rm", "prune",
                                 "admin", "context", "completion", "version"}) {
    const Output output = Jobctl({verb, "--help"});
    EXPECT_EQ(output.code(), 0) << verb;
    EXPECT_FALSE(output.out.empty()) << verb;
  }
  EXPECT_NE(Jobctl({"version"}).out.find("0.1.0"), std::string::npos);
  for (const std::string shell : {"bash", "zsh", "fish"}) EXPECT_FALSE(Jobctl({"completion", shell}).out.empty()) << shell;
  EXPECT_EQ(RunCommand({{"/bin/bash", "-c", "\"$0\" completion bash | bash -n", Binary("jobctl")}, {}, {}, {}}).code(), 0);
}

TEST(Cli, ThereIsNoInsecureMode) {
  for (const char* flag : {"--insecure", "--no-tls", "--password"}) EXPECT_EQ(Jobctl({flag, "list"}).code(), 2) << flag;
}

TEST(Cli, FaultC4VersionIsAnOptionToo) {
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{{"--version"}, {"list", "--version"}}) {
    const Output output = Jobctl(args);
    EXPECT_EQ(output.code(), 0);
    EXPECT_EQ(output.out, Jobctl({"version"}).out);
  }
}

TEST(Cli, FaultC4AMistakeGetsASuggestion) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> mistakes{
      {{"ps"}, "there is no verb 'ps' (did you mean 'list'?)"},
      {{"stauts"}, "there is no verb 'stauts' (did you mean 'status'?)"},
      {{"list", "--state", "failed"}, "'--state' is not expected here (did you mean '--filter state=…'?)"},
      {{"admin", "statsu"}, "'statsu' is not expected here (did you mean 'status'?)"},
      {{"admin", "users"}, "'users' is not expected here\n"},
      {{"list", "--lable=a=b"}, "'--lable=a=b' is not expected here (did you mean '--label'?)"},
      {{"version", "first", "second"}, "'first' is not expected here\n"},
      {{"run", "--tiemout", "5", "--", "x"}, "'--tiemout' is not expected here (did you mean '--timeout'?)"},
  };
  for (const auto& [args, message] : mistakes) {
    const Output output = Jobctl(args);
    EXPECT_EQ(output.code(), 2);
    EXPECT_NE(output.err.find(message), std::string::npos) << output.err;
  }
}

// A closed descriptor's number went to a socket of jobctl's own, which then got the job's bytes.
TEST(Cli, FaultA9ClosedStandardDescriptors) {
  const auto shell = [](const std::string& script) {
    return RunCommand({{"/bin/sh", "-c", script, Binary("jobctl")}, {}, {}, "/"});
  };
  EXPECT_EQ(shell("\"$0\" version 2>&-").out, Jobctl({"version"}).out);
  EXPECT_EQ(shell("\"$0\" version <&- 2>&-").out, Jobctl({"version"}).out);
  const Output closed = shell("\"$0\" version >&-");
  EXPECT_EQ(closed.code(), 125) << "what nobody can read is not success";
  EXPECT_NE(closed.err.find("writing to standard output"), std::string::npos) << closed.err;
}

class CliTest : public DaemonSuite<CliTest> {};

TEST_F(CliTest, AForeignServerIsRefused) {
  ASSERT_EQ(
      RunCommand({{"/bin/sh", "-c",
                   "openssl ecparam -name prime256v1 -genkey -noout -out x.key && openssl req -x509 -new -key x.key -subj /CN=x "
                   "-out x.crt"},
                  {},
                  {},
                  daemon_->CertDir()})
          .code(),
      0);
  const Output output = daemon_->Do({"--ca", daemon_->CertDir() + "/x.crt", "list"});
  EXPECT_EQ(output.code(), 125);
  EXPECT_FALSE(output.err.empty());
}

TEST_F(CliTest, ContextsAndPrecedence) {
  const std::string home = daemon_->folder() + "/home";
  ASSERT_EQ(RunCommand({{"/bin/mkdir", "-p", home + "/.config/jobctl"}, {}, {}, {}}).code(), 0);
  const std::string certs = daemon_->CertDir();
  const auto context = [&](const std::string& name, const std::string& address, const std::string& user) {
    return "[context." + name + "]\naddress = \"" + address + "\"\nca = \"" + certs + "/ca.crt\"\ncert = \"" + certs + "/" + user +
           ".crt\"\nkey = \"" + certs + "/" + user + ".key\"\n";
  };
  WriteFile(home + "/.config/jobctl/config.toml", "current = \"here\"\n" + context("here", daemon_->Address(), "operator") +
                                                      context("boss", daemon_->Address(), "admin"));
  const auto run = [&](std::vector<std::string> args, std::vector<std::pair<std::string, std::string>> env = {}) {
    args.insert(args.begin(), {"/usr/bin/env", "HOME=" + home, Binary("jobctl")});
    return RunCommand({std::move(args), std::move(env), {}, "/"});
  };
  EXPECT_NE(run({"context", "list"}).out.find("boss"), std::string::npos);
  EXPECT_NE(run({"whoami"}).out.find("operator"), std::string::npos);
  EXPECT_NE(run({"--context", "boss", "whoami"}).out.find("admin"), std::string::npos);
  EXPECT_EQ(run({"--context", "none", "whoami"}).code(), 2);
  EXPECT_EQ(run({"list"}, {{"JOBCTL_ADDRESS", "127.0.0.1:1"}}).code(), 125) << "the environment wins over the context";
  EXPECT_EQ(run({"--address", daemon_->Address(), "list"}, {{"JOBCTL_ADDRESS", "127.0.0.1:1"}}).code(), 0) << "a flag over both";
  EXPECT_EQ(run({"context", "use", "boss"}).code(), 0);
  EXPECT_NE(run({"whoami"}).out.find("admin"), std::string::npos);
}

TEST_F(CliTest, ContextsAreAddedAndRemoved) {
  const std::string home = daemon_->folder() + "/newhome";
  ASSERT_EQ(RunCommand({{"/bin/mkdir", home}, {}, {}, {}}).code(), 0);
  const std::string certs = daemon_->CertDir();
  const auto run = [&](std::vector<std::string> args) {
    args.insert(args.begin(), {"/usr/bin/env", "HOME=" + home, Binary("jobctl")});
    return RunCommand({std::move(args), {}, {}, certs});
  };
  const auto add = [&](const std::string& name, const std::string& user) {
    return run({"context", "add", name, "--address", daemon_->Address(), "--ca", "ca.crt", "--cert", user + ".crt", "--key",
                user + ".key"});
  };
  // What cannot work is refused, and nothing is written.
  const Output bare = run({"context", "add", "here"});
  EXPECT_EQ(bare.code(), 2);
  EXPECT_NE(bare.err.find("a context needs --ca, --cert, --key as well"), std::string::npos) << bare.err;
  const Output absent = add("here", "nobody");
  EXPECT_NE(absent.code(), 0);
  EXPECT_NE(absent.err.find("nobody.crt"), std::string::npos) << absent.err;
  EXPECT_EQ(add("../here", "operator").code(), 2);
  EXPECT_EQ(run({"context", "list"}).out, "");

  EXPECT_EQ(add("here", "operator").code(), 0);
  EXPECT_NE(run({"whoami"}).out.find("operator"), std::string::npos) << "the first is the current one";
  EXPECT_EQ(add("here", "admin").code(), 2) << "none is replaced";
  EXPECT_EQ(add("boss", "admin").code(), 0);
  EXPECT_NE(run({"whoami"}).out.find("operator"), std::string::npos);
  EXPECT_NE(run({"--context", "boss", "whoami"}).out.find("admin"), std::string::npos);
  EXPECT_EQ(run({"context", "rm", "here"}).code(), 0);
  EXPECT_EQ(run({"context", "rm", "here"}).code(), 2);
  EXPECT_EQ(run({"context", "use", "boss"}).code(), 0);
  EXPECT_NE(run({"whoami"}).out.find("admin"), std::string::npos);
}

TEST_F(CliTest, FaultC4TheCommandNeedsNoDashes) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> commands{
      {{"run", "echo", "hi"}, "hi"},
      {{"run", "-e", "A=1", "--timeout", "60", "sh", "-c", "echo $A"}, "1"},
      {{"run", "-eA=2", "--timeout=60", "sh", "-c", "echo $A"}, "2"},
      {{"run", "echo", "--help", "--", "-d"}, "--help -- -d"},
      {{"run", "--", "echo", "--", "x"}, "-- x"},
      {{"-q", "run", "-o", "table", "echo", "-o"}, "-o"},
      {{"run", "--shell", "echo $1", "x"}, "x"},
  };
  for (const auto& [args, out] : commands) EXPECT_EQ(daemon_->Ok(args), out) << testing::PrintToString(args);
  const std::string detached = daemon_->Ok({"run", "-de", "A=1", "true"});
  EXPECT_EQ(daemon_->Do({"wait", detached}).code(), 0) << detached;
  for (const std::vector<std::string>& none :
       std::vector<std::vector<std::string>>{{"run"}, {"run", "--"}, {"run", "--timeout", "5"}})
    EXPECT_EQ(daemon_->Do(none).code(), 2);
}

TEST_F(CliTest, FaultA9TheJobsStderrGoesNowhereElse) {
  Command command = daemon_->Ctl({"run", "--", "sh", "-c", "echo out; echo err >&2; exit 3"});
  command.argv.insert(command.argv.begin(), {"/bin/sh", "-c", "\"$0\" \"$@\" 2>&-"});
  const Output output = RunCommand(command);
  EXPECT_EQ(output.out, "out\n");
  EXPECT_EQ(output.err, "");
  EXPECT_EQ(output.code(), 3);
}

TEST_F(CliTest, FaultA12FailFastEndsWithTheCodeOfWhatFailed) {
  for (const char* way : {"--wait", "--follow"}) {
    EXPECT_EQ(
        daemon_->Do({"submit", "--fail-fast", "--parallel", "1", way, "-"}, "operator", "exit 9\nsleep 1000\nsleep 1000\n").code(),
        9)
        << way;
  }
}

TEST_F(CliTest, FaultA5WaitForAnyReturnsAtTheFirst) {
  const std::string slow = daemon_->Ok({"run", "-d", "--hold", "--", "true"});
  const std::string also_slow = daemon_->Ok({"run", "-d", "--hold", "--", "true"});
  const std::string quick = daemon_->Ok({"run", "-d", "--", "sh", "-c", "exit 6"});
  EXPECT_EQ(daemon_->Do({"wait", "--any", slow, quick, also_slow}).code(), 6);
  EXPECT_EQ(daemon_->Do({"wait", "--any", quick, slow}).code(), 6);
  EXPECT_EQ(daemon_->Do({"wait", "--any", slow, also_slow, "--timeout", "10ms"}).code(), 124);
  EXPECT_EQ(daemon_->Do({"wait", slow, also_slow, "--timeout", "10ms"}).code(), 124);
  std::vector<std::string> many{"wait", "--any"};
  many.resize(103, quick);
  EXPECT_EQ(daemon_->Do(many).code(), 2);
  daemon_->Ok({"cancel", slow, also_slow});
}

// The signal was lost on a job that waited, and it ran later.
TEST_F(CliTest, FaultA7CtrlCAtAJobThatHasNotStartedCancelsIt) {
  Process run(daemon_->Ctl({"run", "--hold", "--id", "a7", "--", "echo", "never"}));
  ASSERT_TRUE(WaitUntil([&] { return daemon_->Do({"status", "a7"}).code() == 0; }));
  run.Signal(SIGINT);
  const Output output = run.Finish();
  EXPECT_EQ(output.code(), 130) << output.err;
  EXPECT_EQ(output.out, "");
  EXPECT_NE(output.err.find("cancel"), std::string::npos) << output.err;
  EXPECT_NE(daemon_->Ok({"status", "--json", "a7"}).find("CANCELLED"), std::string::npos);
}

TEST_F(CliTest, FaultC8WhatWasAcceptedBeforeIsNotNew) {
  const Output first = daemon_->Do({"run", "--id", "c8", "--", "echo", "once"});
  EXPECT_EQ(first.err, "");
  const Output again = daemon_->Do({"run", "--id", "c8", "--", "echo", "once"});
  EXPECT_EQ(again.out, "once\n");
  EXPECT_NE(again.err.find("had accepted this job before"), std::string::npos) << again.err;
}

TEST_F(CliTest, FaultC13InputThatIsNotPassedIsSaid) {
  EXPECT_NE(daemon_->Do({"run", "--", "true"}, "operator", "x\n").err.find("--stdin -"), std::string::npos);
  EXPECT_EQ(daemon_->Do({"run", "--stdin", "-", "--", "cat"}, "operator", "x\n").err, "");
  EXPECT_EQ(daemon_->Do({"run", "--", "true"}).err, "");
}

TEST_F(CliTest, FaultC22ExitCodesAndErrorsForScripts) {
  EXPECT_EQ(daemon_->Do({"status", "none-such"}).code(), 3);
  EXPECT_EQ(daemon_->Do({"admin", "stop"}).code(), 4);
  EXPECT_EQ(daemon_->Do({"run", "--memory", "1K", "--", "true"}).code(), 2) << "jobd finds it, usage it is";
  const Output none = daemon_->Do({"--json", "cancel", "none-such"});
  EXPECT_NE(none.err.find(R"("code":"NOT_FOUND")"), std::string::npos) << none.err;
  EXPECT_NE(none.err.find(": none-such\""), std::string::npos) << none.err;
  const Output waited = daemon_->Do({"submit", "--wait", "--json", "-"}, "operator", "exit 3\ntrue\n");
  EXPECT_EQ(waited.code(), 3);
  EXPECT_NE(waited.out.find(R"("exit_code": 3)"), std::string::npos) << waited.out;
}

TEST_F(CliTest, FaultC24CtrlCInWaitLeavesTheJobs) {
  const std::string id = daemon_->Ok({"run", "-d", "--hold", "--", "true"});
  Process wait(daemon_->Ctl({"wait", id, "--timeout", "60"}));
  wait.Signal(SIGINT);
  const Output left = wait.Finish();
  EXPECT_EQ(left.code(), 130);
  EXPECT_EQ(daemon_->Ok({"cancel", id}).find("1 job cancelled"), id.size() + 2);
}

TEST_F(CliTest, AClosedPipeEndsItQuietly) {
  Command command = daemon_->Ctl({"run", "--", "seq", "1", "10000000"});
  command.argv.insert(command.argv.begin(), {"/bin/bash", "-c", "\"$0\" \"$@\" | head -n 1"});
  const Output output = RunCommand(command);
  EXPECT_EQ(output.out, "1\n");
  EXPECT_EQ(output.err, "");
}

TEST_F(CliTest, FollowDetachesOnCtrlCAndHarmsNothing) {
  const std::string id = daemon_->Ok({"run", "-d", "--", "sh", "-c", "echo up; exec sleep 1000"});
  Process follower(daemon_->Ctl({"logs", "-f", id}));
  ASSERT_TRUE(follower.WaitForOutput("up"));
  follower.Signal(SIGINT);
  (void)follower.Finish();
  EXPECT_NE(daemon_->Ok({"status", "--json", id}).find("RUNNING"), std::string::npos);
  daemon_->Ok({"cancel", "-t", "0s", id});
}

TEST_F(CliTest, KillSendsASignal) {
  const std::string id =
      daemon_->Ok({"run", "-d", "--", "sh", "-c", "trap 'echo caught; exit 7' USR1; echo up; while :; do sleep 0.01; done"});
  Process follower(daemon_->Ctl({"logs", "-f", id}));
  ASSERT_TRUE(follower.WaitForOutput("up"));
  EXPECT_EQ(daemon_->Do({"kill", "-s", "NOPE", id}).code(), 2);
  daemon_->Ok({"kill", "-s", "USR1", id});
  EXPECT_EQ(follower.Finish().out, "up\ncaught\n");
  EXPECT_EQ(daemon_->Do({"wait", id}).code(), 7);
}

TEST_F(CliTest, PruneTakesOnlyWhatHasEnded) {
  const std::string ended = daemon_->Ok({"run", "-d", "--", "true"});
  daemon_->Do({"wait", ended});
  const std::string live = daemon_->Ok({"run", "-d", "--", "sleep", "1000"});
  daemon_->Ok({"prune", "--older-than", "0s"});
  const std::string left = daemon_->Ok({"list", "-o", "name"});
  EXPECT_EQ(left.find(ended), std::string::npos);
  EXPECT_NE(left.find(live), std::string::npos);
  EXPECT_NE(daemon_->Do({"rm", live}).code(), 0) << "a running batch cannot be removed";
  daemon_->Ok({"cancel", "-t", "0s", live});
}

}  // namespace
}  // namespace jobd::e2e
