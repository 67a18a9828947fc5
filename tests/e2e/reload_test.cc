// A reload is one decision of two processes, whoever of them is killed and when; and each setting does what is said of it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/setting.h"
#include "tests/e2e/harness/daemon.h"
#include "tests/support/require.h"

namespace jobd::e2e {
namespace {

namespace fs = std::filesystem;
using Values = std::map<std::string, std::string>;

class ReloadTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(daemon_.Start()) << daemon_.log();
    const auto loaded = config::Load(daemon_.ConfigFile(), ReadFileOrEmpty(daemon_.ConfigFile()), {});
    ASSERT_TRUE(loaded.ok()) << loaded.error().message();
    for (const config::SettingValue& setting : loaded->settings) start_[setting.key] = setting.value;
    start_["defaults.env"] = "{ MARK = \"start\" }";
    WriteFile(daemon_.ConfigFile(), Toml(start_));
    daemon_.Ok({"admin", "reload"}, "admin");
  }
  static std::string Toml(const Values& values) {
    std::string text;
    for (const config::Setting& setting : config::Settings()) {
      const std::string key(setting.key);
      const std::string& value = values.at(key);
      const bool number = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
      text += key + " = " + (setting.is_table || number ? value : "\"" + value + "\"") + "\n";
    }
    return text;
  }
  // As the server says that it is.
  Values InForce() {
    const auto config = nlohmann::json::parse(daemon_.Ok({"admin", "config", "--json"}, "admin"));
    Values values;
    for (const auto& [key, setting] : config.at("settings").items()) values[key] = setting.at("value");
    return values;
  }
  // As a job finds it, which is what the launcher goes by.
  std::string OfJob() {
    return daemon_.Ok(
        {"run", "--profile", "standard", "--", "/bin/sh", "-c", "echo \"$MARK|$PATH|$(/bin/pwd -P)|$(/usr/bin/id -u)\""});
  }
  std::string OfServer(const Values& values) const {
    const std::string& env = values.at("defaults.env");
    const size_t end = env.rfind('"');
    const size_t begin = end == std::string::npos ? end : env.rfind('"', end - 1);
    const std::string text = begin == std::string::npos ? "" : env.substr(begin + 1, end - begin - 1);
    return text + "|" + values.at("defaults.path") + "|" + fs::canonical(values.at("defaults.workdir")).string() + "|" + uid_;
  }

  Daemon daemon_;
  Values start_;
  std::string uid_;  // of jobs, which no reload changes
};

// Another value for each, by what it takes. A setting that takes none of these needs one of its own here.
std::vector<std::string> Candidates(const std::string& key, const std::string& now, const std::string& copies) {
  const std::map<std::string, std::string> own{{"server.listen", "127.0.0.1:1"},
                                               {"server.user", "daemon"},
                                               {"log.level", "debug"},
                                               {"log.format", "json"},
                                               {"metrics.listen", "127.0.0.1:9"},
                                               {"policy.job_user", "daemon"},
                                               {"policy.job_uid_first", "2000000000"},
                                               {"policy.job_uid_count", "1000"},
                                               {"defaults.profile", "strict"},
                                               {"defaults.workdir", "/"},
                                               {"defaults.path", "/usr/bin:/bin"},
                                               {"defaults.env", "{ MARK = \"other\" }"},
                                               {"limits.max_output_bytes", "67108864"},
                                               {"retention.max_bytes", "67108864"},
                                               {"defaults.pids", "70"},
                                               {"defaults.memory", "134217728"}};
  if (const auto found = own.find(key); found != own.end()) return {found->second};
  if (now.starts_with("/") && fs::is_regular_file(now)) {
    const std::string copy = copies + "/" + key;
    fs::copy_file(now, copy, fs::copy_options::overwrite_existing);
    ::chmod(copy.c_str(), 0600);
    return {copy};
  }
  if (key == "tls.client_ca") {
    fs::copy_file(copies + "/ca.crt", copies + "/" + key, fs::copy_options::overwrite_existing);
    ::chmod((copies + "/" + key).c_str(), 0600);
    return {copies + "/" + key};
  }
  if (key == "policy.profiles") {
    WriteFile(copies + "/profiles.toml", "");
    return {copies + "/profiles.toml"};
  }
  if (now.starts_with("/") || key == "log.file") return {copies + "/" + key};
  return {"7", "77m", "64M", "0.5", "other"};
}

TEST_F(ReloadTest, FaultD7EachSettingDoesWhatIsSaidOfIt) {
  const std::string first = OfJob();
  uid_ = first.substr(first.rfind('|') + 1);
  ASSERT_EQ(first, OfServer(InForce()));
  const std::string copies = daemon_.folder() + "/certs";
  for (const config::Setting& setting : config::Settings()) {
    const std::string key(setting.key);
    SCOPED_TRACE(key);
    const Values before = InForce();
    Values changed = start_;
    for (const std::string& candidate : Candidates(key, start_.at(key), copies)) {
      config::Config scratch;
      if (!setting.read(scratch, candidate).ok() || setting.show(scratch) == start_.at(key)) continue;
      changed[key] = setting.show(scratch);
      break;
    }
    ASSERT_NE(changed.at(key), start_.at(key)) << "no other value is known for it: add one to Candidates";
    WriteFile(daemon_.ConfigFile(), Toml(changed));
    const Output reload = daemon_.Do({"admin", "reload", "--json"}, "admin");
    ASSERT_EQ(reload.code(), 0) << reload.err;
    const auto said = nlohmann::json::parse(reload.out);
    const auto lists = [&said, &key](const char* list) {
      return std::count(said.at(list).begin(), said.at(list).end(), nlohmann::json(key));
    };
    EXPECT_EQ(lists("changed"), setting.reloadable ? 1 : 0) << said;
    EXPECT_EQ(lists("needs_restart"), setting.reloadable ? 0 : 1) << said;
    // An authority for clients, which there was none of before, is another content besides.
    const auto contents =
        static_cast<size_t>(std::count(said.at("changed").begin(), said.at("changed").end(), nlohmann::json("tls")));
    EXPECT_EQ(said.at("changed").size() - contents + said.at("needs_restart").size(), 1u) << "and nothing else: " << said;
    // In the server's eyes, and by what the launcher does.
    Values expected = before;
    if (setting.reloadable) expected[key] = changed.at(key);
    EXPECT_EQ(InForce(), expected);
    EXPECT_EQ(OfJob(), OfServer(expected));
    WriteFile(daemon_.ConfigFile(), Toml(start_));
    daemon_.Ok({"admin", "reload"}, "admin");
    ASSERT_EQ(InForce(), before);
  }
}

TEST_F(ReloadTest, FaultD7TheLaunchersLogLevelChangesWithTheServers) {
  Values changed = start_;
  changed["log.level"] = "warn";
  WriteFile(daemon_.ConfigFile(), Toml(changed));
  daemon_.Ok({"admin", "reload"}, "admin");
  const size_t begin = daemon_.log().size();
  WriteFile(daemon_.ConfigFile(), Toml(start_));
  daemon_.KillServer();
  EXPECT_EQ(daemon_.log().find("jobd info", begin), std::string::npos) << daemon_.log().substr(begin);
  daemon_.Ok({"admin", "reload"}, "admin");
  EXPECT_NE(daemon_.log().find("jobd info the files that were read again are in force", begin), std::string::npos);
}

// What is trusted only since a reload is hidden as what was trusted from the start.
TEST_F(ReloadTest, FaultD7FilesThatAReloadNamesAreHiddenFromJobs) {
  const std::string folder = daemon_.ShareDir() + "/users";
  fs::create_directories(folder);
  ::chmod(daemon_.ShareDir().c_str(), 0755);
  fs::copy_file(start_.at("users.file"), folder + "/users.toml");
  EXPECT_EQ(daemon_.Do({"run", "--workdir", daemon_.ShareDir(), "--", "cat", folder + "/users.toml"}).code(), 0) << "not ours yet";
  Values changed = start_;
  changed["users.file"] = folder + "/users.toml";
  WriteFile(daemon_.ConfigFile(), Toml(changed));
  daemon_.Ok({"admin", "reload"}, "admin");
  EXPECT_NE(daemon_.Do({"run", "--workdir", daemon_.ShareDir(), "--", "cat", folder + "/users.toml"}).code(), 0);
}

// Kills one of the two at its so-manieth call of this kind during a reload.
struct Kill {
  bool launcher = false;
  const char* call = "";
  int when = 1;
};

TEST_F(ReloadTest, FaultD6WhoeverIsKilledBothHaveTheOldFilesOrBothTheNew) {
  const std::string first = OfJob();
  uid_ = first.substr(first.rfind('|') + 1);
  std::vector<Kill> kills;
  for (const bool launcher : {false, true}) {
    for (const char* call : {"sendmsg", "recvmsg"}) {
      for (int when = 1; when <= 2; ++when) kills.push_back({launcher, call, when});
    }
  }
  // The launcher's reading, keeping and handing over of files.
  for (const int when : {1, 3}) kills.push_back({true, "memfd_create", when});
  for (const int when : {1, 8, 14}) kills.push_back({true, "openat", when});
  int generation = 0;
  int died = 0;
  for (const Kill& kill : kills) {
    SCOPED_TRACE(std::string(kill.launcher ? "launcher " : "server ") + kill.call + " " + std::to_string(kill.when));
    const std::string mark = "generation-" + std::to_string(++generation);
    const std::string old = OfJob();
    Values values = start_;
    values["defaults.env"] = "{ MARK = \"" + mark + "\" }";
    values["limits.max_running"] = std::to_string(10 + generation);
    WriteFile(daemon_.ConfigFile(), Toml(values));
    const size_t begin = daemon_.log().size();
    const pid_t server = daemon_.ServerPid();
    const pid_t victim = kill.launcher ? daemon_.LauncherPid() : server;
    {
      Process strace(
          {{"/usr/bin/strace", "-f", "-o", "/dev/null", "-e", std::string("trace=") + kill.call, "-e",
            std::string("inject=") + kill.call + ":signal=KILL:when=" + std::to_string(kill.when), "-p", std::to_string(victim)},
           {},
           {},
           "/"});
      ASSERT_TRUE(strace.WaitForError("attached")) << strace.err();
      ::kill(daemon_.LauncherPid(), SIGHUP);
      // Until it has come to its end one way or the other.
      (void)WaitUntil([&] { return !ProcessLives(victim) || daemon_.log().find("reload: ", begin) != std::string::npos; },
                      Seconds(10));
      strace.Signal(SIGINT);
      (void)strace.Finish();
    }
    if (!ProcessLives(victim)) ++died;
    if (!ProcessLives(daemon_.LauncherPid())) {
      daemon_.Reap();
      ASSERT_TRUE(daemon_.Start()) << daemon_.log();
    } else if (!ProcessLives(server)) {
      ASSERT_TRUE(WaitUntil([&] { return daemon_.ServerPid() != server && !daemon_.Address().empty(); })) << daemon_.log();
    }
    const Values now = InForce();
    const std::string of_job = OfJob();
    EXPECT_EQ(of_job, OfServer(now)) << "a mix";
    const bool is_new = of_job.starts_with(mark + "|");
    EXPECT_TRUE(is_new || of_job == old) << of_job;
    EXPECT_EQ(now.at("limits.max_running") == values.at("limits.max_running"), is_new);
    // And the next reload finds nothing in its way.
    daemon_.Ok({"admin", "reload"}, "admin");
    EXPECT_TRUE(OfJob().starts_with(mark + "|"));
  }
  EXPECT_GT(died, static_cast<int>(kills.size()) / 2) << "these steps are those of a reload no more";
}

}  // namespace
}  // namespace jobd::e2e
