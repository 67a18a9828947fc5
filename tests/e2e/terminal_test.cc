// jobctl at a real terminal: what a person sees and types.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/e2e/harness/suite.h"
#include "tests/e2e/harness/terminal.h"

namespace jobd::e2e {
namespace {

class TerminalTest : public DaemonSuite<TerminalTest> {
 protected:
  static Command Ctl(std::vector<std::string> args, std::vector<std::pair<std::string, std::string>> env = {}) {
    Command command = daemon_->Ctl(std::move(args));
    command.env.insert(command.env.end(), env.begin(), env.end());
    return command;
  }
};

TEST_F(TerminalTest, FaultA7CtrlCAtAQueuedRunCancelsIt) {
  Terminal run(Ctl({"run", "--hold", "--id", "queued", "--", "echo", "never"}));
  ASSERT_TRUE(WaitUntil([&] { return daemon_->Do({"status", "queued"}).code() == 0; }));
  run.Type("\3");
  EXPECT_EQ(run.Finish(), 130);
  EXPECT_THAT(run.Screen(), testing::HasSubstr("^C\njobctl: the job has not started yet; cancelling it\n"));
  EXPECT_THAT(run.Screen(), testing::Not(testing::HasSubstr("never")));
}

TEST_F(TerminalTest, FaultC12ColoursAndProgressBarsPassAndNothingElse) {
  const std::vector<std::string> job{"run", "--", "sh", "-c",
                                     "printf '10%%\\r\\033[31m20%%\\033[0m\\n\\033]0;title\\007ab\\bc\\n'"};
  Terminal safe(Ctl(job));
  EXPECT_EQ(safe.Finish(), 0);
  EXPECT_THAT(safe.seen(), testing::HasSubstr("10%\r\033[31m20%\033[0m\r\n"));
  EXPECT_EQ(safe.Screen(), "20%\n\\x1b]0;title\\x07ac\n");
  Terminal raw(Ctl(job, {{"JOBCTL_RAW", "1"}}));
  EXPECT_EQ(raw.Finish(), 0);
  EXPECT_THAT(raw.seen(), testing::HasSubstr("\033]0;title\007"));
}

TEST_F(TerminalTest, FaultC12TheTerminalIsNoPartOfWhatIsAskedFor) {
  const std::vector<std::string> job{"run", "--id", "once", "--", "sh", "-c", "echo $TERM $NO_COLOR"};
  Terminal first(Ctl(job, {{"TERM", "xterm"}, {"NO_COLOR", "1"}}));
  EXPECT_EQ(first.Finish(), 0);
  EXPECT_EQ(first.Screen(), "xterm 1\n");
  Terminal second(Ctl(job, {{"TERM", "vt100"}}));
  EXPECT_EQ(second.Finish(), 0);
  EXPECT_THAT(second.Screen(), testing::EndsWith("xterm 1\n")) << "the same batch, as it ran";
  EXPECT_THAT(daemon_->Do(job).out, testing::EndsWith("xterm 1\n")) << "without a terminal, too";
  EXPECT_EQ(daemon_->Do({"run", "--id", "once", "--env", "TERM=vt100", "--", "sh", "-c", "echo $TERM $NO_COLOR"}).code(), 125)
      << "but what was asked for is";
}

TEST_F(TerminalTest, FaultProgressIsALineThatGoesAway) {
  Command command = Ctl({"submit", "--wait", "--parallel", "1", "-f", daemon_->ShareDir() + "/three"});
  WriteFile(daemon_->ShareDir() + "/three", "true\nuntil [ -e go ]; do sleep 0.01; done\ntrue\n");
  Terminal submit(command);
  ASSERT_TRUE(submit.WaitFor("1/3 done, 1 running")) << submit.seen();
  WriteFile(daemon_->ShareDir() + "/go", "");
  EXPECT_EQ(submit.Finish(), 0);
  EXPECT_EQ(submit.Screen().find("done"), std::string::npos) << submit.Screen();
}

TEST_F(TerminalTest, FaultC5WordsAreNotCutAtTheEdge) {
  Terminal help(Ctl({"run", "--help"}), 60);
  EXPECT_EQ(help.Finish(), 0);
  std::istringstream lines(help.seen());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 62u) << line;
  Terminal run(Ctl({"run", "--", "sleep", "1000"}), 40);
  ASSERT_TRUE(WaitUntil([&] { return daemon_->Do({"list", "--filter", "state=running", "-o", "name"}).out != ""; }));
  run.Type("\3");
  EXPECT_EQ(run.Finish(), 130);
  EXPECT_THAT(run.Screen(), testing::HasSubstr("jobctl: sent SIGINT to the job; press\nCtrl-C again within"));
}

TEST_F(TerminalTest, FaultWhatFailedIsSaidWhereTheProgressWas) {
  WriteFile(daemon_->ShareDir() + "/two", "true\nexit 7\n");
  Terminal submit(Ctl({"submit", "--wait", "--id", "two-jobs", "-f", daemon_->ShareDir() + "/two"}));
  EXPECT_EQ(submit.Finish(), 7);
  EXPECT_EQ(submit.Screen(), "two-jobs\njobctl: of 2 jobs 1 succeeded: jobctl status two-jobs\n");
}

TEST_F(TerminalTest, FaultC2NoLineIsLongerThanTheTerminal) {
  daemon_->Ok({"run", "-d", "--", "echo", std::string(300, 'x')});
  daemon_->Do({"submit", "--wait", "--name", "a name of some length, as people give them", "-"}, "operator",
              "echo " + std::string(300, 'y') + "\ncat /no/such/file/anywhere\n");
  for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{{"list"}, {"status"}, {"status", "last"}}) {
    Terminal shown(Ctl(verb));
    EXPECT_EQ(shown.Finish(), 0);
    EXPECT_EQ(std::count(shown.seen().begin(), shown.seen().end(), '\n'), std::ranges::count(shown.Screen(), '\n'))
        << testing::PrintToString(verb) << " wraps:\n"
        << shown.Screen();
  }
}

}  // namespace
}  // namespace jobd::e2e
