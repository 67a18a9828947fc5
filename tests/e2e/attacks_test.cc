// What is sent and run to get at the service itself.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/harness/suite.h"
#include "tests/support/require.h"

namespace jobd::e2e {
namespace {

class AttackTest : public DaemonSuite<AttackTest> {};

TEST_F(AttackTest, Inp01IdsThatArePathsAreRefusedBeforeAnyUse) {
  const std::string ids[] = {"../../etc/passwd",    "..%2f",  "/",        ".", "..", "a b", "a\nb",
                             std::string(300, 'a'), "ＡＢＣ", "\u202eabc"};
  for (const std::string& id : ids) {
    const Output output = daemon_->Do({"run", "--id", id, "--", "true"});
    EXPECT_NE(output.code(), 0) << id;
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"status", id}, {"logs", id}, {"cancel", id}, {"rm", id}, {"logs", id + "/1"}}) {
      EXPECT_NE(daemon_->Do(command).code(), 0) << command[0] << " " << id;
    }
  }
  EXPECT_EQ(nlohmann::json::parse(daemon_->Ok({"list", "--json"})).size(), 0u);
}

TEST_F(AttackTest, Inp05TooMuchOfACommandIsRefused) {
  const auto submit = [&](const std::string& argv) {
    return daemon_->Do({"submit", "-f", "-"}, "operator", R"({"argv": ["true", )" + argv + "]}\n");
  };
  const Output one = submit("\"" + std::string(128 * 1024, 'x') + "\"");
  EXPECT_EQ(one.code(), 2);
  EXPECT_NE(one.err.find("argv"), std::string::npos) << one.err;
  std::string many = "\"x\"";
  for (int i = 0; i < 200'000; ++i) many += ",\"x\"";
  const Output all = submit(many);
  EXPECT_EQ(all.code(), 2);
  EXPECT_NE(all.err.find("argv"), std::string::npos) << all.err;
}

TEST_F(AttackTest, Inp17WhatLooksLikeSqlIsText) {
  const std::string text = "'; DROP TABLE batch; --";
  daemon_->Ok({"run", "--id", "sql", "--name", text, "--label", "k=" + text, "--", "true"});
  daemon_->Ok({"run", "--id", "plain", "--name", "plain", "--label", "k=v", "--", "true"});
  const auto found = [&](const std::string& label) { return daemon_->Ok({"list", "-o", "name", "--label", label}); };
  EXPECT_EQ(found("k=" + text), "sql");
  EXPECT_EQ(found("k=v"), "plain");
  EXPECT_EQ(found("k=%"), "");
  EXPECT_EQ(found("k=_"), "");
  EXPECT_EQ(found("k=' OR '1'='1"), "");
  EXPECT_EQ(nlohmann::json::parse(daemon_->Ok({"status", "--json", "sql"})).at("name"), text);
}

// Under the profile that hides nothing.
TEST_F(AttackTest, Esc15NothingOfTheServiceCanBeReadByAJob) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root: else such a job would be jobd itself, and is refused");
  const std::string& folder = daemon_->folder();
  std::string script = "for f in";
  for (const char* path : {"/certs/server.key", "/certs/admin.key", "/certs/users.toml", "/state/jobd.db", "/logs/operator",
                           "/run/server.pid", "/jobd.log", ""}) {
    script += " " + folder + path;
  }
  script += "; do cat $f 2>/dev/null; ls $f 2>/dev/null; done; for p in " + std::to_string(daemon_->LauncherPid()) + " " +
            std::to_string(daemon_->ServerPid()) +
            "; do for f in environ maps mem fd io; do cat /proc/$p/$f 2>/dev/null; ls /proc/$p/fd 2>/dev/null; done; kill -0 $p "
            "2>/dev/null && echo signalled; done; echo done";
  EXPECT_EQ(daemon_->Do({"run", "--profile", "open", "--", "sh", "-c", script}).out, "done\n");
}

TEST_F(AttackTest, Esc18TheDaemonsLeaveNoCoreAndCannotBeTraced) {
  for (const pid_t pid : {daemon_->LauncherPid(), daemon_->ServerPid()}) {
    // What is not dumpable belongs to root in /proc, whoever runs it.
    struct stat info {};
    ASSERT_EQ(::stat(("/proc/" + std::to_string(pid) + "/environ").c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 0u);
  }
  if (::geteuid() != 0) return;
  const std::string status = ReadFileOrEmpty("/proc/" + std::to_string(daemon_->ServerPid()) + "/status");
  EXPECT_EQ(status.find("\nUid:\t0\t"), std::string::npos) << "it would be root's anyway";
}

}  // namespace
}  // namespace jobd::e2e
