// jobd-server started by somebody else: what differs from one that is jobd's child. restart_test.cc has what does not.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/e2e/harness/daemon.h"
#include "tests/support/require.h"

namespace jobd::e2e {
namespace {

class ExternalServerTest : public testing::Test {
 protected:
  DaemonOptions Options() {
    DaemonOptions options;
    options.flags = {"--set", "limits.max_queued=4321"};
    options.external_server = true;
    return options;
  }
  Daemon daemon_{Options()};
};

TEST_F(ExternalServerTest, ASecondServerIsRefusedAndHarmsNobody) {
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  const pid_t first = daemon_.ServerPid();
  EXPECT_EQ(RunCommand(daemon_.ServerCommand()).code(), 1);
  EXPECT_EQ(daemon_.ServerPid(), first);
  EXPECT_EQ(daemon_.Ok({"run", "--", "echo", "served"}), "served");
  EXPECT_NE(daemon_.log().find("another server is alive"), std::string::npos);
}

TEST_F(ExternalServerTest, AServerOfAnotherAccountIsRefused) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root");
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  ::kill(daemon_.ServerPid(), SIGKILL);
  ASSERT_TRUE(WaitUntil([&] { return !ProcessLives(daemon_.ServerPid()); }));
  // Root, which no mode keeps out.
  EXPECT_EQ(RunCommand({{Binary("jobd-server"), "--connect", daemon_.RuntimeDir() + "/launcher.sock"}, {}, {}, "/"}).code(), 1);
  EXPECT_NE(daemon_.log().find("not of the server's"), std::string::npos) << daemon_.log();
  daemon_.KillServer();
}

TEST_F(ExternalServerTest, AServerThatCannotStartEndsJobdToo) {
  const std::string certificate = daemon_.CertDir() + "/server.crt";
  const std::string good = ReadFileOrEmpty(certificate);
  WriteFile(certificate, "no certificate");
  EXPECT_FALSE(daemon_.Start()) << "whoever started jobd waits for it to be ready, or to end";
  EXPECT_NE(daemon_.log().find("ended before it was ready"), std::string::npos) << daemon_.log();
  WriteFile(certificate, good);
}

TEST_F(ExternalServerTest, HasTheSettingsThatJobdWasStartedWith) {
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  const auto config = nlohmann::json::parse(daemon_.Ok({"admin", "config", "-o", "json"}, "admin"));
  EXPECT_EQ(config.at("settings").at("limits.max_queued").at("value"), "4321") << config;
}

TEST_F(ExternalServerTest, ASignalToJobdReloadsIt) {
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  WriteFile(daemon_.ConfigFile(), ReadFileOrEmpty(daemon_.ConfigFile()) + "timeout = \"77s\"\n");
  ::kill(daemon_.LauncherPid(), SIGHUP);
  EXPECT_TRUE(WaitUntil([&] { return daemon_.log().find("reload: 1 settings changed") != std::string::npos; })) << daemon_.log();
}

TEST_F(ExternalServerTest, StopEndsItAndTakesTheSocketAway) {
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  const std::string socket = daemon_.RuntimeDir() + "/launcher.sock";
  struct stat info {};
  ASSERT_EQ(::stat(socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  const pid_t server = daemon_.ServerPid();
  EXPECT_EQ(daemon_.Stop().code(), 0);
  EXPECT_FALSE(ProcessLives(server));
  EXPECT_NE(::stat(socket.c_str(), &info), 0);
}

}  // namespace
}  // namespace jobd::e2e
