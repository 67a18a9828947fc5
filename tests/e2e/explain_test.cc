// Why jobs wait, how batches are addressed, and what lists look like on a terminal, with the real programs.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "tests/e2e/harness/daemon.h"
#include "tests/e2e/harness/small_disk.h"
#include "tests/support/require.h"

namespace jobd::e2e {
namespace {

using nlohmann::json;

class ExplainTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(daemon_.Start()) << daemon_.log(); }

  // Jobs that run until Open().
  std::string Gated(const std::string& id, int jobs, std::vector<std::string> more = {}) {
    std::string lines;
    for (int i = 0; i < jobs; ++i) lines += "while ! test -e gate; do sleep 0.01; done\n";
    std::vector<std::string> args{"submit", "--id", id, "--workdir", daemon_.ShareDir(), "-f", "-"};
    args.insert(args.begin() + 1, more.begin(), more.end());
    return daemon_.Ok(args, "operator", lines);
  }
  void Open() { WriteFile(daemon_.ShareDir() + "/gate", ""); }
  void UntilRunning(const std::string& id, size_t jobs) {
    ASSERT_TRUE(WaitUntil([&] {
      const json counts = json::parse(daemon_.Ok({"status", "--json", id})).at("counts");
      return counts.value("RUNNING", 0u) == jobs;
    }));
  }
  // The reasons of one job, as `status` has them.
  std::vector<std::string> Codes(const std::string& address) {
    std::vector<std::string> codes;
    const json status = json::parse(daemon_.Ok({"status", "--json", address}));
    for (const json& wait : status.at("jobs").at(0).at("waits")) codes.push_back(wait.at("code"));
    return codes;
  }
  bool Waits(const std::string& address, const std::string& code) {
    const auto codes = Codes(address);
    return !codes.empty() && codes.front() == code;
  }
  // The output of jobctl on a terminal of so many columns.
  std::string OnTerminal(int columns, const std::vector<std::string>& args, const std::string& user = "operator") {
    std::string line = "stty cols " + std::to_string(columns) + " rows 24; exec";
    const Command command = daemon_.Ctl(args, user);
    for (const std::string& word : command.argv) line += " '" + word + "'";
    std::vector<std::pair<std::string, std::string>> env = command.env;
    env.insert(env.end(), {{"TERM", "xterm"}, {"NO_COLOR", "1"}});
    return RunCommand({{"/usr/bin/script", "-qec", line, "/dev/null"}, env, {}, {}}).out;
  }
  // Of what a terminal was sent, the columns of the longest line.
  static size_t Widest(const std::string& text) {
    size_t widest = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      size_t columns = 0;
      for (const char c : line) columns += (static_cast<unsigned char>(c) & 0xc0) != 0x80 && c != '\r' ? 1 : 0;
      widest = std::max(widest, columns);
    }
    return widest;
  }

  Daemon daemon_{{"[limits]\nmax_running = 2\nmin_free_bytes = \"1M\"\n", {}, ""}};
};

TEST_F(ExplainTest, FaultC1SlotsAndWhatIsBeforeIt) {
  Gated("busy", 6);
  UntilRunning("busy", 2);
  const std::string id = daemon_.Ok({"run", "-d", "--id", "mine", "--", "echo", "x"});
  const std::string text = daemon_.Ok({"explain", id});
  EXPECT_EQ(text, "mine, number 2: 1 QUEUED\njob 1 waits: 4 jobs before it\n  and: all 2 slots are taken");
  EXPECT_EQ(Codes("mine"), (std::vector<std::string>{"TURN", "SERVICE_SLOTS"}));
  EXPECT_NE(daemon_.Ok({"status", "mine"}).find("4 jobs before it"), std::string::npos);
  const json explained = json::parse(daemon_.Ok({"explain", "--json", "2/1"}));
  EXPECT_EQ(explained.at("jobs").at(0).at("waits").at(0).at("before"), 4);
  EXPECT_TRUE(explained.at("jobs").at(0).at("waits").at(0).at("since").is_string());
  EXPECT_EQ(daemon_.Ok({"explain", "busy/1"}).substr(0, 60).find("job 1 is RUNNING"),
            std::string("busy, number 1: 4 QUEUED, 2 RUNNING\n").size());
  Open();
  EXPECT_EQ(daemon_.Do({"wait", "busy", "mine"}).code(), 0);
  EXPECT_NE(daemon_.Ok({"explain", "mine"}).find("nothing waits, and nothing has failed"), std::string::npos);
  EXPECT_TRUE(Codes("mine").empty());
}

TEST_F(ExplainTest, FaultC1HeldStoppedAndDrained) {
  daemon_.Ok({"run", "-d", "--id", "later", "--", "true"});
  EXPECT_EQ(daemon_.Do({"wait", "later"}).code(), 0);
  Gated("busy", 3);
  UntilRunning("busy", 2);
  daemon_.Ok({"hold", "busy/3"});
  EXPECT_EQ(daemon_.Ok({"explain", "busy/3"}).find("held by operator, since"),
            std::string("busy, number 2: 1 HELD, 2 RUNNING\njob 3 waits: ").size())
      << daemon_.Ok({"explain", "busy/3"});
  daemon_.Ok({"release", "busy/3"});
  EXPECT_TRUE(Waits("busy/3", "SERVICE_SLOTS"));
  daemon_.Ok({"admin", "stop"}, "admin");
  EXPECT_TRUE(Waits("busy/3", "SERVICE_STOPPED"));
  EXPECT_NE(daemon_.Ok({"explain", "busy/3"}).find("the service is stopped by admin, since"), std::string::npos);
  daemon_.KillServer();
  EXPECT_NE(daemon_.Ok({"explain", "busy/3"}).find("the service is stopped by admin, since"), std::string::npos);
  daemon_.Ok({"admin", "start"}, "admin");
  daemon_.Ok({"admin", "drain"}, "admin");
  EXPECT_TRUE(Waits("busy/3", "SERVICE_SLOTS")) << "what is queued is still started";
  Open();
  EXPECT_EQ(daemon_.Do({"wait", "busy"}).code(), 0);
}

TEST_F(ExplainTest, FaultC1TheOwnersLimitAndTheBatchsParallel) {
  const std::string users = daemon_.CertDir() + "/users.toml";
  std::string text = ReadFileOrEmpty(users);
  const std::string name = "name = \"operator\"\n";
  ASSERT_NE(text.find(name), std::string::npos) << text;
  text.insert(text.find(name) + name.size(), "max_running = 1\n");
  WriteFile(users, text);
  daemon_.Ok({"admin", "reload"}, "admin");
  Gated("busy", 2);
  UntilRunning("busy", 1);
  EXPECT_TRUE(Waits("busy/2", "USER_LIMIT"));
  EXPECT_NE(daemon_.Ok({"explain", "busy/2"}).find("your limit of 1 running job"), std::string::npos);
  EXPECT_NE(daemon_.Ok({"explain", "--owner", "operator", "busy/2"}, "admin").find("operator's limit of 1 running job"),
            std::string::npos);
  const std::string line = "while ! test -e gate; do sleep 0.01; done\n";
  daemon_.Ok({"submit", "--id", "one", "--parallel", "1", "--workdir", daemon_.ShareDir(), "-f", "-"}, "operator2", line + line);
  ASSERT_TRUE(WaitUntil([&] {
    return daemon_.Ok({"explain", "one/2"}, "operator2").find("its batch's limit of 1 job at once") != std::string::npos;
  }));
  Open();
  EXPECT_EQ(daemon_.Do({"wait", "busy"}).code(), 0);
}

TEST_F(ExplainTest, FaultC3AddressesForEveryVerb) {
  Gated("0198-first", 2, {"--name", "nightly"});
  daemon_.Ok({"submit", "--id", "0198-second", "--name", "nightly", "-f", "-", "--format", "json"}, "operator",
             R"([{"argv": ["echo", "h"], "name": "headers"}, {"argv": ["false"], "name": "build"}])");
  EXPECT_EQ(daemon_.Do({"status", "0198"}).code(), 2);
  EXPECT_NE(daemon_.Do({"status", "0198"}).err.find("several batches begin so: 0198-first, 0198-second"), std::string::npos);
  for (const std::string verb : {"status", "explain"}) {
    for (const std::string address : {"nightly", "2", "last", "0198-s", "0198-second", "last~0"}) {
      EXPECT_NE(daemon_.Ok({verb, address}).find("0198-second"), std::string::npos) << verb << " " << address;
    }
    EXPECT_NE(daemon_.Ok({verb, "last~1/2"}).find("0198-first"), std::string::npos) << verb;
  }
  daemon_.Ok({"hold", "nightly/build"});
  Open();
  EXPECT_EQ(daemon_.Do({"wait", "1", "2/headers"}).code(), 0);
  EXPECT_EQ(daemon_.Ok({"logs", "last/headers"}), "h");
  daemon_.Ok({"release", "last/2"});
  EXPECT_EQ(daemon_.Do({"wait", "nightly"}).code(), 1);
  EXPECT_EQ(daemon_.Ok({"retry", "--failed", "2/build"}), "0198-second/2: 1 job queued again");
  EXPECT_EQ(daemon_.Do({"wait", "2"}).code(), 1);
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{{"status", "nightl_"},
                                                                                    {"logs", "3"},
                                                                                    {"cancel", "last~2"},
                                                                                    {"kill", "-s", "TERM", "2/test"},
                                                                                    {"wait", "2/3"},
                                                                                    {"retry", "last/9"},
                                                                                    {"hold", "x"},
                                                                                    {"release", "x"},
                                                                                    {"rm", "4"},
                                                                                    {"explain", "last~9"}}) {
    const Output output = daemon_.Do(args);
    EXPECT_EQ(output.code(), args[0] == "wait" ? 125 : 3) << testing::PrintToString(args) << output.err;
    EXPECT_EQ(output.err, "jobctl: no such batch or job: " + args.back() + "\n") << "once, and what was asked for";
    EXPECT_EQ(daemon_.Do({"status", "--owner", "operator", "nightly"}, "operator2").code(), 3) << "others' things do not exist";
  }
  daemon_.Ok({"rm", "last", "last~1"});
  EXPECT_EQ(daemon_.Ok({"list", "-o", "name"}), "") << "what an address means is found out before anything is removed";
}

TEST_F(ExplainTest, FaultC2ListsFitTheTerminalAndNameWhatRuns) {
  JOBD_REQUIRE(RunCommand({{"/usr/bin/script", "-qec", "true", "/dev/null"}, {}, {}, {}}).code() == 0, "no script(1)");
  daemon_.Ok(
      {"run", "-d", "--", "sh", "-c", "echo a command that is long enough to be cut on a terminal of eighty columns; exit 3"});
  daemon_.Ok({"submit", "-f", "-"}, "operator", "echo first\necho second\necho third\n");
  daemon_.Ok({"submit", "--name", "nightly", "--hold", "-f", "-"}, "operator", "true\ntrue\n");
  EXPECT_EQ(daemon_.Do({"wait", "1"}).code(), 3);
  EXPECT_EQ(daemon_.Do({"wait", "2"}).code(), 0);
  daemon_.Ok({"cancel", "3/2"});
  const std::string own = OnTerminal(80, {"list"});
  EXPECT_LE(Widest(own), 80u) << own;
  EXPECT_EQ(own.find("OWNER"), std::string::npos);
  EXPECT_NE(own.find("3 jobs: echo"), std::string::npos) << own;
  EXPECT_NE(own.find("sh -c"), std::string::npos) << own;
  EXPECT_NE(own.find("nightly"), std::string::npos) << own;
  const std::string all = OnTerminal(80, {"list", "--owner", "*"}, "admin");
  EXPECT_LE(Widest(all), 80u) << all;
  EXPECT_NE(all.find("OWNER"), std::string::npos) << all;
  const std::string status = OnTerminal(80, {"status", "1"});
  EXPECT_LE(Widest(status), 80u) << status;
  EXPECT_NE(status.find("Number    1"), std::string::npos) << status;
  // What was shortened is an address.
  const std::string row = own.substr(own.find("3 jobs") - 80);
  const size_t begin = own.find("\n  2  ") == std::string::npos ? own.find("\n 2  ") : own.find("\n  2  ");
  ASSERT_NE(begin, std::string::npos) << own;
  const std::string brief = own.substr(own.find_first_not_of(" \n2", begin), 13);
  EXPECT_EQ(daemon_.Do({"status", brief}).code(), 0) << brief;

  const json held = json::parse(daemon_.Ok({"list", "--json", "--filter", "state=held"}));
  ASSERT_EQ(held.size(), 1u) << "one is held, the other was cancelled: the batch is held";
  EXPECT_EQ(held.at(0).at("name"), "nightly");
  EXPECT_EQ(held.at(0).at("number"), 3);
  EXPECT_EQ(held.at(0).at("counts").at("CANCELLED"), 1);
  const std::string table = daemon_.Ok({"list", "--filter", "state=held"});
  EXPECT_NE(table.find("HELD    1/2       0"), std::string::npos) << "FAILED does not count what was cancelled\n" << table;
}

TEST_F(ExplainTest, FaultC7Attempts) {
  const std::string script = "n=$(cat n 2>/dev/null || echo 0); n=$((n+1)); echo $n >n; echo attempt $n; exit 1";
  daemon_.Ok({"run", "-d", "--id", "again", "--workdir", daemon_.ShareDir(), "--", "sh", "-c", script});
  EXPECT_EQ(daemon_.Do({"wait", "again"}).code(), 1);
  for (int i = 0; i < 2; ++i) {
    daemon_.Ok({"retry", "again"});
    EXPECT_EQ(daemon_.Do({"wait", "again"}).code(), 1);
  }
  EXPECT_EQ(daemon_.Ok({"logs", "again"}), "attempt 3");
  EXPECT_EQ(daemon_.Ok({"logs", "--attempt", "1", "again/1"}), "attempt 1");
  EXPECT_EQ(daemon_.Ok({"logs", "--attempt", "2", "-n", "1", "again"}), "attempt 2");
  const Output all = daemon_.Do({"logs", "--all-attempts", "again"});
  EXPECT_EQ(all.out, "attempt 1\nattempt 2\nattempt 3\n") << "exact bytes";
  EXPECT_EQ(all.err, "jobctl: ---- attempt 2 of the job ----\njobctl: ---- attempt 3 of the job ----\n");
  const Output none = daemon_.Do({"logs", "--attempt", "4", "again/1"});
  EXPECT_EQ(none.code(), 2);
  EXPECT_NE(none.err.find("the job has had 3 attempts"), std::string::npos) << none.err;
  EXPECT_EQ(daemon_.Do({"logs", "--attempt", "1", "--all-attempts", "again"}).code(), 2);
  EXPECT_EQ(daemon_.Do({"logs", "--attempt", "0", "again"}).code(), 2);
}

TEST_F(ExplainTest, FaultC23WhatWasAskedForAndWhatIsInForce) {
  daemon_.Ok(
      {"run", "-d", "--id", "x", "--timeout", "90s", "--memory", "64M", "--retries", "2", "--env", "A=secret", "--", "true"});
  const json own = json::parse(daemon_.Ok({"status", "--json", "x"})).at("jobs").at(0);
  EXPECT_EQ(own.at("asked").at("timeout_seconds"), 90.0);
  EXPECT_EQ(own.at("asked").at("retries"), 2);
  EXPECT_EQ(own.at("asked").at("limits").at("memory_bytes"), 64 << 20);
  EXPECT_EQ(own.at("asked").at("env").at("A"), "secret");
  EXPECT_TRUE(own.at("asked").at("profile").is_null());
  EXPECT_TRUE(own.at("in_force").at("profile").is_string());
  EXPECT_TRUE(own.at("in_force").at("kill_after_seconds").is_number());
  const std::string others = daemon_.Ok({"status", "--json", "--owner", "operator", "x"}, "admin");
  EXPECT_EQ(others.find("secret"), std::string::npos);
  EXPECT_TRUE(json::parse(others).at("jobs").at(0).at("asked").at("env").at("A").is_null());
}

// A disk that takes nothing: of the logs, where no folder can be made; of the state, where no start can be recorded.
class ExplainDiskTest : public ExplainTest, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    std::string why;
    JOBD_REQUIRE(SmallDisk::Possible(why), why);
    disk_.emplace(GetParam() == "log" ? daemon_.LogDir() : daemon_.folder() + "/state", "size=16m,nr_inodes=200");
    ExplainTest::SetUp();
    // The database's log is as long as it was when the tables were made, and what fits in it needs no room on the disk. It begins
    // anew with the next start.
    daemon_.Stop();
    ExplainTest::SetUp();
  }
  std::optional<SmallDisk> disk_;
};
INSTANTIATE_TEST_SUITE_P(Disks, ExplainDiskTest, testing::Values("log", "state"), [](const auto& one) { return one.param; });

TEST_P(ExplainDiskTest, FaultC1ADiskThatTakesNothing) {
  Gated("busy", 2);
  UntilRunning("busy", 2);
  daemon_.Ok({"run", "-d", "--id", "mine", "--", "echo", "x"});
  disk_->TakeSpace();
  disk_->TakeInodes();
  Open();
  EXPECT_TRUE(WaitUntil([&] { return Waits("mine", "DISK"); })) << daemon_.Ok({"explain", "mine"}) << daemon_.log();
  const json wait = json::parse(daemon_.Ok({"explain", "--json", "mine"})).at("jobs").at(0).at("waits").at(0);
  EXPECT_EQ(wait.at("disk"), GetParam());
  disk_->GiveBack();
  EXPECT_EQ(daemon_.Do({"wait", "mine"}).code(), 0);
  EXPECT_EQ(daemon_.Ok({"logs", "mine"}), "x");
}

}  // namespace
}  // namespace jobd::e2e
