// Each folder is one instance's, and what is somebody else's is refused and stays as it was.
#include "daemon/service_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "daemon/job_uids.h"
#include "daemon/service_dirs.h"
#include "tests/support/require.h"
#include "tests/support/temp_dir.h"

namespace jobd::daemon {
namespace {

namespace fs = std::filesystem;

class FaultD19 : public testing::Test {
 protected:
  FaultD19() {
    ::chmod(dir_.path().c_str(), 0755);
    if (::geteuid() == 0) account_ = {.name = "nobody", .uid = 65534, .gid = 65534};
    config_ = Config("one");
  }
  config::Config Config(const std::string& name) const {
    config::Config config;
    config.state_dir = dir_.path() + "/" + name + "/state";
    config.log_dir = dir_.path() + "/" + name + "/logs";
    config.runtime_dir = dir_.path() + "/" + name + "/run";
    return config;
  }
  // Why the directories cannot be had; empty when they could, and then they are given up again.
  std::string Refusal(const config::Config& config) const {
    const auto dirs = PrepareDirs(config, account_);
    return dirs.ok() ? "" : dirs.error().message();
  }
  std::string CheckRefusal(const config::Config& config) const {
    const auto checked = CheckDirs(config, account_);
    return checked.ok() ? "" : checked.error().message();
  }
  static void Write(const std::string& path, const std::string& text = "x") {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << text;
  }
  // As the version before left it: given to the server's account, without a mark.
  void Give(const std::string& path) const {
    if (account_.uid) {
      EXPECT_EQ(::lchown(path.c_str(), *account_.uid, account_.gid), 0);
    }
  }
  static std::string About(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return std::to_string(info.st_uid) + ":" + std::to_string(info.st_gid) + " " + std::to_string(info.st_mode);
  }
  // Refused by the check and by the start, for this reason, and not changed.
  void ExpectRefused(const config::Config& config, const std::string& path, const std::string& why) const {
    const std::string before = About(path);
    EXPECT_NE(CheckRefusal(config).find(why), std::string::npos) << CheckRefusal(config);
    EXPECT_NE(Refusal(config).find(why), std::string::npos) << Refusal(config);
    EXPECT_EQ(About(path), before);
    EXPECT_FALSE(fs::exists(path + "/.jobd"));
  }

  test::TempDir dir_;
  ServerAccount account_;
  config::Config config_;
};

TEST_F(FaultD19, WhatIsNotThereIsMadeMarkedAndTakenAgain) {
  EXPECT_EQ(CheckRefusal(config_), "");
  EXPECT_FALSE(fs::exists(config_.state_dir)) << "a check makes nothing";
  EXPECT_EQ(Refusal(config_), "");
  EXPECT_TRUE(fs::exists(config_.log_dir + "/.jobd"));
  Write(config_.log_dir + "/anything");
  EXPECT_EQ(CheckRefusal(config_), "");
  EXPECT_EQ(Refusal(config_), "");
}

TEST_F(FaultD19, FoldersOfTheSystemAreRefused) {
  for (const char* path : {"/etc", "/tmp", "/", "/var/tmp", "/usr"}) {
    config_.log_dir = path;
    ExpectRefused(config_, path, "is a folder of the system");
  }
  EXPECT_FALSE(fs::exists(config_.state_dir)) << "refused before anything is made";
}

TEST_F(FaultD19, ALinkToAFolderOfTheSystemIsOne) {
  fs::create_directories(dir_.path() + "/one");
  fs::create_symlink("/tmp", config_.runtime_dir);
  ExpectRefused(config_, "/tmp", "is a folder of the system");
}

TEST_F(FaultD19, AFolderWithOtherThingsInItIsRefused) {
  for (std::string config::Config::*which : {&config::Config::state_dir, &config::Config::log_dir, &config::Config::runtime_dir}) {
    config::Config config = Config("two");
    config.*which = dir_.path() + "/documents";
    Write(dir_.path() + "/documents/letters/mother/text");
    ExpectRefused(config, dir_.path() + "/documents", "is not empty");
  }
}

TEST_F(FaultD19, AFolderOfAnotherUserIsRefusedThoughItIsEmpty) {
  JOBD_REQUIRE(account_.uid, "needs root");
  fs::create_directories(config_.log_dir);
  ASSERT_EQ(::chown(config_.log_dir.c_str(), 1234, 1234), 0);
  ExpectRefused(config_, config_.log_dir, "belongs to 1234");
}

TEST_F(FaultD19, AnEmptyFolderThatOthersMayWriteToIsRefused) {
  fs::create_directories(config_.log_dir);
  ASSERT_EQ(::chmod(config_.log_dir.c_str(), 01777), 0);
  ExpectRefused(config_, config_.log_dir, "chmod 700");
}

TEST_F(FaultD19, AnEmptyFolderOfOursIsTaken) {
  fs::create_directories(config_.log_dir + "/lost+found");
  EXPECT_EQ(Refusal(config_), "");
}

TEST_F(FaultD19, AMarkThatSomebodyElseMadeIsNone) {
  JOBD_REQUIRE(account_.uid, "needs root");
  EXPECT_EQ(Refusal(config_), "");
  ASSERT_EQ(::chown((config_.log_dir + "/.jobd").c_str(), 1234, 1234), 0);
  EXPECT_NE(Refusal(config_).find("not this jobd's own"), std::string::npos) << Refusal(config_);
}

TEST_F(FaultD19, TwoWithOneFolder) {
  for (std::string config::Config::*which : {&config::Config::state_dir, &config::Config::log_dir, &config::Config::runtime_dir}) {
    const std::string name = "pair" + config_.*which;
    std::string plain = name;
    std::replace(plain.begin(), plain.end(), '/', '-');
    const config::Config first = Config(plain + "-1");
    config::Config second = Config(plain + "-2");
    second.*which = first.*which;
    const bool state = which == &config::Config::state_dir;
    const std::string why = state ? "is in use by another jobd" : "belongs to the jobd whose state is in " + first.state_dir;
    {
      const auto held = PrepareDirs(first, account_);
      ASSERT_TRUE(held.ok()) << held.error().message();
      Write(first.runtime_dir + "/address", "first");
      EXPECT_NE(Refusal(second).find(why), std::string::npos) << Refusal(second);
    }
    // It is no less the first one's when that does not run. One with its state is the first one.
    if (!state) {
      EXPECT_NE(Refusal(second).find(why), std::string::npos) << Refusal(second);
    }
    EXPECT_TRUE(fs::exists(first.runtime_dir + "/address"));
    EXPECT_EQ(Refusal(first), "");
  }
}

// As of a jobd that was killed while it was starting a program.
TEST_F(FaultD19, AChildThatStillSharesTheLockIsWaitedFor) {
  auto held = PrepareDirs(config_, account_);
  ASSERT_TRUE(held.ok()) << held.error().message();
  const pid_t child = ::fork();
  if (child == 0) {
    // Until somebody waits for it, as the kernel shows.
    const std::string waits = "-> FLOCK  ADVISORY  WRITE " + std::to_string(::getppid()) + " ";
    for (std::string locks; locks.find(waits) == std::string::npos;) {
      std::ifstream file("/proc/locks");
      locks.assign(std::istreambuf_iterator<char>(file), {});
    }
    ::_exit(0);
  }
  held = base::Error(base::Code::kCancelled, "given up");
  EXPECT_EQ(Refusal(config_), "");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_F(FaultD19, WhatACrashLeavesOfAMarkIsNoMark) {
  Write(config_.state_dir + "/.jobd.new", "jobd st");
  ::chmod(config_.state_dir.c_str(), 0700);
  EXPECT_EQ(Refusal(config_), "");
  EXPECT_FALSE(fs::exists(config_.state_dir + "/.jobd.new"));
  EXPECT_TRUE(fs::exists(config_.state_dir + "/.jobd"));
}

TEST_F(FaultD19, OneFolderForTwoPurposesIsRefused) {
  config_.log_dir = config_.state_dir;
  EXPECT_NE(Refusal(config_).find("are one folder"), std::string::npos) << Refusal(config_);
}

TEST_F(FaultD19, OneFolderForTwoPurposesIsRefusedByACheckBeforeThereIsOne) {
  config_.state_dir += "/new/state";
  config_.log_dir = config_.state_dir;
  EXPECT_NE(CheckRefusal(config_).find("are one folder"), std::string::npos) << CheckRefusal(config_);
  config_.log_dir = config_.state_dir + "/../state/";
  EXPECT_NE(CheckRefusal(config_).find("are one folder"), std::string::npos) << CheckRefusal(config_);
  config_.log_dir = config_.state_dir + "/logs";
  EXPECT_EQ(CheckRefusal(config_), "");
}

TEST_F(FaultD19, AFolderWithinAnotherIsNotForeignToIt) {
  config_.log_dir = config_.state_dir + "/logs";
  config_.runtime_dir = config_.state_dir + "/run";
  fs::create_directories(config_.log_dir);
  EXPECT_EQ(Refusal(config_), "");
  EXPECT_EQ(Refusal(config_), "");
}

TEST_F(FaultD19, WhatTheVersionBeforeLeftIsTakenUp) {
  Write(config_.state_dir + "/server.lock");
  Write(config_.state_dir + "/jobd.db");
  Write(config_.log_dir + "/ann/b/exits");
  Write(config_.log_dir + "/stray");
  Write(config_.runtime_dir + "/address");
  Write(config_.runtime_dir + "/server.pid");
  for (const std::string& path :
       {config_.state_dir, config_.log_dir, config_.log_dir + "/ann", config_.log_dir + "/ann/b", config_.runtime_dir}) {
    Give(path);
  }
  EXPECT_EQ(CheckRefusal(config_), "");
  EXPECT_EQ(Refusal(config_), "");
  EXPECT_TRUE(fs::exists(config_.state_dir + "/jobd.db"));
  EXPECT_TRUE(fs::exists(config_.log_dir + "/.jobd"));
}

TEST_F(FaultD19, OwnersWithoutBatchesAreLogsToo) {
  fs::create_directories(config_.log_dir + "/ann");
  Give(config_.log_dir);
  Give(config_.log_dir + "/ann");
  EXPECT_EQ(Refusal(config_), "");
}

TEST_F(FaultD19, AFileThatIsNotALogOfOursIsNeitherWrittenToNorGivenAway) {
  config_.log_file = dir_.path() + "/passwd";
  const auto refusal = [this] {
    const auto prepared = PrepareLogFile(config_, account_);
    return prepared.ok() ? "" : prepared.error().message();
  };
  Write(config_.log_file, "root:x:0:0:root:/root:/bin/bash\n");
  const std::string before = About(config_.log_file);
  EXPECT_NE(refusal().find("holds something else"), std::string::npos) << refusal();
  EXPECT_EQ(About(config_.log_file), before);
  Write(config_.log_file, "2026-01-31T12:00:00.123Z jobd info ready at nowhere\n");
  EXPECT_EQ(refusal(), "");
  for (const char* program : {"jobd", "jobd-server"}) {
    Write(config_.log_file, std::string(R"({"time":"2026-01-31T12:00:00.123Z","program":")") + program + R"(","level":"info"})");
    EXPECT_EQ(refusal(), "");
    Write(config_.log_file, std::string("2026-01-31T12:00:00.123Z ") + program + " warn x\n");
    EXPECT_EQ(refusal(), "");
  }
  // Dated as ours, by other programs.
  for (const char* line : {"2026-01-31T12:00:00.123456+00:00 host sshd[1]: x\n", "2026-01-31T12:00:00.123Z host jobd info x\n",
                           "2026-01-31T12:00:00.123Z jobdx info x\n", "2026-01-31T12:00:00Z jobd info x\n",
                           "2026-01-31T12:00:00.123Z", R"({"time":"2026-01-31T12:00:00.123Z","program":"nginx","level":"info"})",
                           R"({"time":"now"})", R"({"time":"2026-01-31T12:00:00.123Z","level":"info","program":"jobd"})"}) {
    fs::remove(config_.log_file);  // or it would be the server's by now
    Write(config_.log_file, line);
    EXPECT_NE(refusal().find("holds something else"), std::string::npos) << line;
  }
  fs::remove(config_.log_file);
  Write(config_.log_file, "");
  EXPECT_EQ(refusal(), "");
  fs::create_hard_link(config_.log_file, dir_.path() + "/another");
  EXPECT_NE(refusal().find("has other names too"), std::string::npos) << refusal();
  fs::remove(dir_.path() + "/another");
  fs::remove(config_.log_file);
  fs::create_directory(config_.log_file);
  EXPECT_NE(refusal(), "");
}

// A new state folder in the place of one that was lost has the logs of the one before: a recovery reads them.
TEST_F(FaultD19, AStateFolderThatWasLostGetsItsLogsBack) {
  EXPECT_EQ(Refusal(config_), "");
  Write(config_.log_dir + "/ann/b/exits");
  fs::remove_all(config_.state_dir);
  EXPECT_EQ(Refusal(config_), "");
}

// Whose uid is whose is begun anew only where no job can have had one.
TEST_F(FaultD19, FaultD10AMapOfUidsThatIsLostIsNotBegunAnew) {
  const auto refusal = [this] {
    const auto dirs = PrepareDirs(config_, account_);
    if (!dirs.ok()) return dirs.error().message();
    auto uids = OpenJobUids(config_, account_, dirs->state.get(), dirs->log.get());
    if (uids.ok() && !uids->Save().ok()) return std::string("not saved");
    return uids.ok() ? std::string() : uids.error().message();
  };
  EXPECT_EQ(refusal(), "");
  EXPECT_TRUE(fs::exists(config_.state_dir + "/job-uids"));
  EXPECT_TRUE(fs::exists(config_.log_dir + "/.job-uids"));
  fs::remove(config_.state_dir + "/job-uids");
  fs::remove(config_.log_dir + "/.job-uids");
  EXPECT_EQ(refusal(), "") << "there was no job";
  Write(config_.log_dir + "/ann/b/exits");
  Give(config_.log_dir + "/ann");
  EXPECT_EQ(refusal(), "");
  fs::remove(config_.state_dir + "/job-uids");
  EXPECT_EQ(refusal(), "") << "there is the copy";
  fs::remove(config_.state_dir + "/job-uids");
  fs::remove(config_.log_dir + "/.job-uids");
  EXPECT_NE(refusal().find("job-uids is missing"), std::string::npos) << refusal();
  EXPECT_NE(refusal().find("of ann"), std::string::npos) << refusal();
  // A state folder that was lost as a whole, too; the copy is none of a stranger's files in the log folder.
  fs::remove_all(config_.state_dir);
  EXPECT_NE(refusal().find("job-uids is missing"), std::string::npos) << refusal();
  Write(config_.state_dir + "/job-uids", "jobd uids 1\nend 0\n");
  ::chmod((config_.state_dir + "/job-uids").c_str(), 0600);
  EXPECT_EQ(refusal(), "") << "as the text says";
  fs::remove(config_.log_dir + "/.jobd");
  EXPECT_EQ(refusal(), "");
}

TEST_F(FaultD19, AStateFolderThatWasMovedKeepsItsLogs) {
  EXPECT_EQ(Refusal(config_), "");
  Write(config_.log_dir + "/ann/b/exits");
  fs::rename(config_.state_dir, config_.state_dir + "-moved");
  config_.state_dir += "-moved";
  EXPECT_EQ(Refusal(config_), "");
}

}  // namespace
}  // namespace jobd::daemon
