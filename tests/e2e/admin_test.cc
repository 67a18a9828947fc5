// The service's own life: start, stop, drain, status, reload, and what may not happen twice.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/harness/daemon.h"

namespace jobd::e2e {
namespace {

class AdminTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(daemon_.Start()) << daemon_.log(); }
  nlohmann::json Status() { return nlohmann::json::parse(daemon_.Do({"admin", "status", "--json"}, "admin").out); }
  std::string JobState(const std::string& id) {
    return nlohmann::json::parse(daemon_.Ok({"status", "--json", id})).at("jobs").at(0).at("state");
  }
  Daemon daemon_;
};

TEST_F(AdminTest, StopStartDrainAndTheirExitCodes) {
  EXPECT_EQ(daemon_.Do({"admin", "status"}, "admin").code(), 0);
  const std::string gate = daemon_.ShareDir() + "/gate";
  const std::string id = daemon_.Ok({"run", "-d", "--", "sh", "-c", "while ! test -e " + gate + "; do sleep 0.01; done"});
  ASSERT_TRUE(WaitUntil([&] { return JobState(id) == "RUNNING"; }));
  daemon_.Ok({"admin", "stop"}, "admin");
  EXPECT_EQ(daemon_.Do({"admin", "status"}, "admin").code(), 3);
  const Output refused = daemon_.Do({"run", "--", "true"});
  EXPECT_EQ(refused.code(), 125);
  EXPECT_NE(refused.err.find("stopped"), std::string::npos) << refused.err;
  EXPECT_EQ(JobState(id), "RUNNING") << "what runs goes on";
  WriteFile(gate, "");
  EXPECT_EQ(daemon_.Do({"wait", id}).code(), 0);

  daemon_.Ok({"admin", "start"}, "admin");
  EXPECT_EQ(daemon_.Do({"run", "--", "true"}).code(), 0);

  const std::string last = daemon_.Ok({"run", "-d", "--", "sleep", "0.2"});
  daemon_.Ok({"admin", "drain"}, "admin");
  EXPECT_EQ(daemon_.Do({"run", "--", "true"}).code(), 125);
  EXPECT_EQ(daemon_.Do({"wait", last}).code(), 0) << "what was accepted is done";
  EXPECT_TRUE(WaitUntil([&] { return daemon_.Do({"admin", "status"}, "admin").code() == 3; }));
  daemon_.Ok({"admin", "start"}, "admin");
}

TEST_F(AdminTest, StopNowCancelsWhatRunsAndWhatWaits) {
  const std::string id =
      daemon_.Ok({"submit", "-f", "-"}, "operator", "sleep 1000\nsleep 1000\nsleep 1000\nsleep 1000\nsleep 1000\n");
  ASSERT_TRUE(WaitUntil([&] { return JobState(id) == "RUNNING"; }));
  daemon_.Ok({"admin", "stop", "--now"}, "admin");
  EXPECT_NE(daemon_.Do({"wait", id}).code(), 0);
  const auto status = nlohmann::json::parse(daemon_.Ok({"status", "--json", id}));
  for (const auto& job : status.at("jobs")) {
    EXPECT_EQ(job.at("state"), "CANCELLED") << job;
  }
}

TEST_F(AdminTest, StatusTellsWhatAnOperatorOfTheServiceAsks) {
  daemon_.Ok({"run", "--", "true"});
  const auto status = Status();
  for (const char* key : {"state", "version", "uptime", "slots", "running", "queued", "finished", "disks", "certificate_expires_at",
                          "isolation", "config_revision"}) {
    EXPECT_TRUE(status.contains(key)) << key << "\n" << status.dump(1);
  }
  EXPECT_EQ(status.at("finished").at("SUCCEEDED"), 1);
}

TEST_F(AdminTest, UnreachableIsFour) {
  const std::string address = daemon_.Address();
  daemon_.Stop();
  const Output output =
      RunCommand({{Binary("jobctl"), "--address", address, "--ca", daemon_.CertDir() + "/ca.crt", "--cert",
                   daemon_.CertDir() + "/admin.crt", "--key", daemon_.CertDir() + "/admin.key", "admin", "status"},
                  {},
                  {},
                  {}});
  EXPECT_EQ(output.code(), 4) << output.err;
  EXPECT_TRUE(ReadFileOrEmpty(daemon_.folder() + "/run/address").empty()) << "a stopped service has no address";
}

TEST_F(AdminTest, ASecondDaemonOnTheSameStateIsRefusedAtOnce) {
  const Output second = RunCommand({{Binary("jobd"), "--config", daemon_.ConfigFile()}, {}, {}, {}}, Seconds(20));
  EXPECT_NE(second.code(), 0);
  EXPECT_NE(second.err.find("state"), std::string::npos) << second.err;
  EXPECT_EQ(daemon_.Do({"run", "--", "true"}).code(), 0) << "the first goes on";
}

TEST_F(AdminTest, ReloadTakesWhatIsGoodAndKeepsTheOldOtherwise) {
  const std::string config = ReadFileOrEmpty(daemon_.ConfigFile());
  WriteFile(daemon_.ConfigFile(), config + "[limits]\nmax_running = 3\n");
  daemon_.Ok({"admin", "reload"}, "admin");
  EXPECT_EQ(Status().at("slots"), 3);

  WriteFile(daemon_.ConfigFile(), config + "[limits]\nmax_running = lots\n");
  const Output bad = daemon_.Do({"admin", "reload"}, "admin");
  EXPECT_NE(bad.code(), 0);
  EXPECT_NE(bad.err.find("jobd.toml:"), std::string::npos) << bad.err;
  EXPECT_EQ(Status().at("slots"), 3);
  WriteFile(daemon_.ConfigFile(), config);

  const std::string certificate = ReadFileOrEmpty(daemon_.CertDir() + "/server.crt");
  WriteFile(daemon_.CertDir() + "/server.crt", "garbage");
  EXPECT_NE(daemon_.Do({"admin", "reload"}, "admin").code(), 0);
  WriteFile(daemon_.CertDir() + "/server.crt", ReadFileOrEmpty(daemon_.CertDir() + "/admin.crt"));
  EXPECT_NE(daemon_.Do({"admin", "reload"}, "admin").code(), 0) << "the key does not match";
  EXPECT_EQ(daemon_.Do({"run", "--", "true"}).code(), 0) << "a bad certificate never replaces a good one";
  WriteFile(daemon_.CertDir() + "/server.crt", certificate);

  WriteFile(daemon_.CertDir() + "/users.toml", "[[user]]\nname = \"admin\"\nrole = \"admin\"\n");
  daemon_.Ok({"admin", "reload"}, "admin");
  EXPECT_EQ(daemon_.Do({"list"}).code(), 4) << "operator is no longer a user";
}

TEST_F(AdminTest, RetentionIsAppliedByAReloadAndShown) {
  const std::string first = daemon_.Ok({"run", "-d", "--", "echo", "one"});
  EXPECT_EQ(daemon_.Do({"wait", first}).code(), 0);
  const std::string second = daemon_.Ok({"run", "-d", "--", "echo", "two"});
  EXPECT_EQ(daemon_.Do({"wait", second}).code(), 0);
  ASSERT_TRUE(WaitUntil([&] { return Status().at("kept").at("batches") == 2; }));
  EXPECT_GT(Status().at("kept").at("bytes"), 0);
  WriteFile(daemon_.ConfigFile(), ReadFileOrEmpty(daemon_.ConfigFile()) + "[retention]\nmax_batches = 1\n");
  daemon_.Ok({"admin", "reload"}, "admin");
  EXPECT_TRUE(WaitUntil([&] { return daemon_.Do({"status", first}).code() != 0; }));
  EXPECT_EQ(daemon_.Ok({"logs", second}), "two");
  EXPECT_TRUE(WaitUntil([&] { return Status().at("kept").at("batches") == 1; }));
  EXPECT_EQ(Status().at("kept").at("max_batches"), 1);
  EXPECT_NE(daemon_.Ok({"admin", "status"}, "admin").find("at most 1 batch"), std::string::npos);
}

TEST_F(AdminTest, ReloadRotatesTheServersCertificate) {
  const std::string make = "set -e; rm server.crt server.key; cp ../again/server.crt ../again/server.key .";
  ASSERT_EQ(RunCommand({{"/bin/sh", "-c",
                         "mkdir -p again && cp certs/ca.crt certs/ca.key again/ && " + std::string(JOBD_SOURCE_DIR) +
                             "/certs/make-certs.sh again"},
                        {},
                        {},
                        daemon_.folder()})
                .code(),
            0);
  const auto serial = [&] {
    return RunCommand({{"/bin/sh", "-c",
                        "openssl s_client -connect " + daemon_.Address() +
                            " -CAfile ca.crt -cert admin.crt -key admin.key </dev/null 2>/dev/null | openssl x509 -noout -serial"},
                       {},
                       {},
                       daemon_.CertDir()})
        .out;
  };
  const std::string before = serial();
  ASSERT_NE(before, "");
  ASSERT_EQ(RunCommand({{"/bin/sh", "-c", make}, {}, {}, daemon_.CertDir()}).code(), 0);
  daemon_.Ok({"admin", "reload"}, "admin");
  EXPECT_TRUE(WaitUntil([&] { return serial() != before; }, Seconds(10))) << "new handshakes show the new certificate";
  EXPECT_EQ(daemon_.Do({"run", "--", "true"}).code(), 0);
}

TEST_F(AdminTest, ConfigShowsSettingsAndWhereTheyCameFrom) {
  const std::string out = daemon_.Ok({"admin", "config"}, "admin");
  EXPECT_NE(out.find("limits.max_running"), std::string::npos) << out;
  EXPECT_NE(out.find("server.listen"), std::string::npos);
}

class CheckConfigTest : public testing::Test {
 protected:
  Daemon daemon_;
  Output Check() { return RunCommand({{Binary("jobd"), "--check-config", daemon_.ConfigFile()}, {}, {}, {}}); }
};

TEST_F(CheckConfigTest, SaysOkOrFileAndLine) {
  EXPECT_EQ(Check().out, "OK\n");
  EXPECT_EQ(Check().code(), 0);
  WriteFile(daemon_.ConfigFile(), "[server]\nlisten = \"127.0.0.1:0\"\nlisen = 3\n");
  const Output bad = Check();
  EXPECT_NE(bad.code(), 0);
  EXPECT_NE((bad.out + bad.err).find(daemon_.ConfigFile() + ":3: "), std::string::npos) << bad.out << bad.err;
  WriteFile(daemon_.ConfigFile(), "");
  Daemon fresh;
  WriteFile(daemon_.ConfigFile(), ReadFileOrEmpty(fresh.ConfigFile()));
}

TEST_F(CheckConfigTest, AKeyThatOthersCanReadIsRefused) {
  ::chmod((daemon_.CertDir() + "/server.key").c_str(), 0644);
  const Output refused = RunCommand({{Binary("jobd"), "--config", daemon_.ConfigFile()}, {}, {}, {}}, Seconds(20));
  EXPECT_NE(refused.code(), 0);
  EXPECT_NE(refused.err.find("server.key"), std::string::npos) << refused.err;
  ::chmod((daemon_.CertDir() + "/server.key").c_str(), 0600);
}

}  // namespace
}  // namespace jobd::e2e
