// A job's life, from exec to the exit record.
#include <gtest/gtest.h>

#include "tests/process/harness/launcher_host.h"

namespace jobd::process_test {
namespace {

using launch::EndCause;
using launch::Phase;
using launch::SlotRecord;
using launch::Step;

// Both drivers must behave alike: the parameter is without_cgroups.
class BasicTest : public testing::TestWithParam<bool> {
 protected:
  TempDir logs_;
  LauncherHost host_{{.log_dir = logs_.path(), .without_cgroups = GetParam()}};
  Batch batch_{logs_.path()};
};
INSTANTIATE_TEST_SUITE_P(Drivers, BasicTest, testing::Bool(), [](const auto& driver) { return driver.param ? "Tree" : "Cgroup"; });

TEST(LauncherTest, GivesUpAServerThatReadsNothing) {
  TempDir logs;
  LauncherHost host({.log_dir = logs.path()});
  // Each is answered with all the capabilities, into a socket that nobody reads. What is left behind must have a bound.
  constexpr int kFarMore = 400'000;
  int sent = 0;
  while (sent < kFarMore && launch::SendFrame(host.socket(), launch::ServerFrame(launch::Hello{})).ok()) ++sent;
  EXPECT_LT(sent, kFarMore);
}

TEST_P(BasicTest, RecordsASuccess) {
  const SlotRecord record = RunToEnd(host_, batch_, batch_.Request({"true"}));
  EXPECT_EQ(record.phase, Phase::kEnded);
  EXPECT_EQ(record.cause, EndCause::kSelf);
  EXPECT_TRUE(record.exit.success());
  EXPECT_EQ(record.attempt, 1u);
  EXPECT_EQ(record.boot, launch::BootTag());
  EXPECT_GT(record.started_at, 0);
  EXPECT_GE(record.ended_at, record.started_at);
  EXPECT_GT(record.wall, 0);
  EXPECT_GT(record.peak_memory, 0u);
  EXPECT_FALSE(batch_.Has("1.out")) << "a file that would be empty is not made";
  EXPECT_FALSE(batch_.Has("1.idx"));
}

TEST_P(BasicTest, TellsExitCodesAndSignals) {
  for (const int code : {1, 2, 124, 126, 127, 255}) {
    Batch batch(logs_.path(), 1, "code" + std::to_string(code));
    const SlotRecord record = RunToEnd(host_, batch, batch.Request({"sh", "-c", "exit " + std::to_string(code)}));
    EXPECT_EQ(record.exit, base::ExitStatus::Exited(code));
    EXPECT_EQ(record.cause, EndCause::kSelf);
  }
  Batch batch(logs_.path(), 1, "signal");
  EXPECT_EQ(RunToEnd(host_, batch, batch.Request({"sh", "-c", "kill -SEGV $$"})).exit, base::ExitStatus::Signaled(11));
}

TEST_P(BasicTest, ToldApartFromExit127WhenThereIsNoSuchProgram) {
  const SlotRecord record = RunToEnd(host_, batch_, batch_.Request({"no-such-program"}));
  EXPECT_EQ(record.cause, EndCause::kSetupFailed);
  EXPECT_EQ(record.step, Step::kExec);
  EXPECT_EQ(record.step_errno, ENOENT);
  EXPECT_EQ(record.started_at, 0);
}

TEST_P(BasicTest, NamesTheStepThatFailed) {
  struct Case {
    std::vector<std::string> argv;
    std::string workdir;
    Step step;
    int error;
  };
  const Case cases[] = {
      {{"/etc/passwd"}, "", Step::kExec, EACCES},
      {{"/tmp"}, "", Step::kExec, EACCES},
      {{""}, "", Step::kExec, ENOENT},
      {{"true"}, "/no/such/folder", Step::kWorkdir, ENOENT},
      {{"true"}, "/etc/passwd", Step::kWorkdir, ENOTDIR},
  };
  int number = 0;
  for (const Case& c : cases) {
    Batch batch(logs_.path(), 1, "case" + std::to_string(number++));
    auto request = batch.Request(c.argv);
    request.workdir = c.workdir;
    const SlotRecord record = RunToEnd(host_, batch, request);
    EXPECT_EQ(record.cause, EndCause::kSetupFailed) << c.argv[0];
    EXPECT_EQ(record.step, c.step) << c.argv[0];
    EXPECT_EQ(record.step_errno, c.error) << c.argv[0];
  }
}

TEST_P(BasicTest, GivesExactlyTheEnvironmentAskedFor) {
  auto request = batch_.Request({"/usr/bin/env"});
  request.env = {{"A", "first"}, {"B", "x=y\nz"}, {"A", "last"}, {"JOBD_INDEX", "forged"}};
  RunToEnd(host_, batch_, request);
  const std::string out = batch_.File("1.out");
  const size_t asked = out.find("\nSHELL=");
  ASSERT_NE(asked, std::string::npos) << out;
  std::string names;  // of the account, and before what was asked for
  for (size_t begin = 0; begin <= asked + 1; begin = out.find('\n', begin) + 1)
    names += out.substr(begin, out.find('=', begin) - begin) + " ";
  EXPECT_EQ(names, "LANG HOME USER LOGNAME SHELL ") << out;
  std::string expected = "B=x=y\nz\nA=last\nJOBD_JOB_ID=batch/1\nJOBD_BATCH_ID=batch\nJOBD_INDEX=1\nJOBD_ATTEMPT=1\n";
  if (GetParam()) expected += "JOBD_GROUP=" + TagOf(logs_.path()) + "/" + sandbox::GroupName(request.key.batch, 1, 1) + "\n";
  EXPECT_EQ(out.substr(out.find('\n', asked + 1) + 1), expected);
}

TEST_P(BasicTest, GivesArgumentsByteForByte) {
  auto request = batch_.Request({"sh", "-c", "cat /proc/$$/cmdline", "$(x)", "a b;\n'\"", "\xff\xfe"});
  RunToEnd(host_, batch_, request);
  std::string expected;
  for (const std::string& argument : request.argv) expected += argument + '\0';
  EXPECT_EQ(batch_.File("1.out"), expected);
}

TEST_P(BasicTest, GivesStandardInput) {
  std::string data;
  for (int i = 0; i < 300'000; ++i) data += static_cast<char>(i * 7);
  auto request = batch_.Request({"cat"});
  request.stdin_data = data;
  RunToEnd(host_, batch_, request);
  EXPECT_EQ(batch_.File("1.out"), data);
  Batch empty(logs_.path(), 1, "empty");
  EXPECT_TRUE(RunToEnd(host_, empty, empty.Request({"cat"})).exit.success()) << "without bytes it is at its end at once";
}

TEST_P(BasicTest, TheJobHasNothingOfOurs) {
  RunToEnd(host_, batch_, batch_.Request({Payload("descriptors")}));
  const std::string out = batch_.File("1.out");
  EXPECT_EQ(out.substr(0, out.find("leader")), "fd 0\nfd 1\nfd 2\n");
  EXPECT_NE(out.find("leader 1"), std::string::npos) << "a session of its own";
  EXPECT_NE(out.find("NoNewPrivs:\t1"), std::string::npos);
  EXPECT_NE(out.find("SigBlk:\t0000000000000000"), std::string::npos) << out;
  EXPECT_NE(out.find("SigIgn:\t0000000000000000"), std::string::npos) << out;
  EXPECT_NE(out.find("Umask:\t0022"), std::string::npos);
  EXPECT_NE(out.find("CapPrm:\t0000000000000000"), std::string::npos) << out;
  EXPECT_NE(out.find("CapEff:\t0000000000000000"), std::string::npos);
  EXPECT_NE(out.find("CapInh:\t0000000000000000"), std::string::npos);
  EXPECT_NE(out.find("CapAmb:\t0000000000000000"), std::string::npos);
  if (::geteuid() == 0) {
    EXPECT_EQ(out.find("Uid:\t0\t"), std::string::npos) << "an account of its own, never root";
    EXPECT_NE(out.find("Groups:\t \n"), std::string::npos) << out;
  }
}

TEST_P(BasicTest, NeverStartsAnAttemptTwice) {
  const auto request = batch_.Request({"sh", "-c", "echo once"});
  RunToEnd(host_, batch_, request);
  host_.Send(launch::Launch{request});
  const auto refused = std::get<launch::Refused>(host_.Receive());
  EXPECT_EQ(refused.key, request.key);
  EXPECT_FALSE(refused.retry);
  EXPECT_EQ(batch_.File("1.out"), "once\n");
  auto retry = batch_.Request({"sh", "-c", "echo twice"}, 1, 2);
  EXPECT_EQ(RunToEnd(host_, batch_, retry).attempt, 2u);
  EXPECT_EQ(batch_.File("1.out"), "once\ntwice\n") << "a retry appends";
}

}  // namespace
}  // namespace jobd::process_test
