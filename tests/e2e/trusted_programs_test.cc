// What is executed in jobd's name is nobody else's to change: not another account's, and not a job's.
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/e2e/harness/daemon.h"
#include "tests/support/require.h"

namespace jobd::e2e {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kUser = 54321;

class TrustedProgramsTest : public testing::Test {
 protected:
  TrustedProgramsTest() { fs::create_directories(home_); }
  Output Jobd(std::vector<std::string> flags) {
    flags.insert(flags.begin(), bin_ + "/jobd");
    return RunCommand({std::move(flags), {}, {}, {}}, Seconds(30));
  }
  // Neither checked, nor started, nor run for a task.
  void ExpectRefused(const std::string& said) {
    const Output checked = Jobd({"--check-config", daemon_.ConfigFile()});
    EXPECT_EQ(checked.code(), 1);
    EXPECT_NE(checked.out.find(said), std::string::npos) << said << "\n" << checked.out << checked.err;
    for (const std::vector<std::string>& flags :
         {std::vector<std::string>{}, {"--backup", daemon_.folder() + "/backup"}, {"--recover"}}) {
      std::vector<std::string> all{"--config", daemon_.ConfigFile()};
      all.insert(all.end(), flags.begin(), flags.end());
      const Output started = Jobd(all);
      EXPECT_NE(started.code(), 0) << said;
      EXPECT_NE(started.err.find(said), std::string::npos) << said << "\n" << started.err;
    }
  }

  Daemon daemon_;
  test::TempDir place_{"/tmp"};
  const std::string home_ = place_.path() + "/srv";
  const std::string bin_ = home_ + "/bin";
};

TEST_F(TrustedProgramsTest, FaultG1ProgramsThatAnotherCouldReplaceAreNotRun) {
  daemon_.RunFrom(bin_);
  for (const std::string& path : {bin_ + "/jobd-server", bin_ + "/jobd", bin_, home_}) {
    for (const mode_t bits : {mode_t{S_IWGRP}, mode_t{S_IWOTH}}) {
      ASSERT_EQ(::chmod(path.c_str(), 0755 | bits), 0);
      ExpectRefused((fs::is_directory(path) ? "the folder " : "the file ") + path + " (mode 07" + (bits == S_IWGRP ? "75" : "57"));
      ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
    }
    if (::geteuid() != 0) continue;
    ASSERT_EQ(::chown(path.c_str(), kUser, kUser), 0);
    ExpectRefused(path + " belongs to uid " + std::to_string(kUser));
    ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
  }
  // As /tmp is.
  ASSERT_EQ(::chmod(home_.c_str(), 01777), 0);
  const Output checked = Jobd({"--check-config", daemon_.ConfigFile()});
  EXPECT_EQ(checked.out, "OK\n") << checked.err;
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
}

TEST_F(TrustedProgramsTest, WhoInstalledThemMayOwnThemUnlessJobsRunAsThatAccount) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root to give files away");
  const passwd* const installer = ::getpwnam("games");
  JOBD_REQUIRE(installer != nullptr, "this machine has no account games");
  daemon_.RunFrom(bin_);
  for (const std::string& path : {bin_ + "/jobd-server", bin_ + "/jobd", bin_, home_}) {
    ASSERT_EQ(::chown(path.c_str(), installer->pw_uid, installer->pw_gid), 0);
  }
  EXPECT_EQ(Jobd({"--check-config", daemon_.ConfigFile()}).out, "OK\n");
  const Output of_jobs = Jobd({"--check-config", daemon_.ConfigFile(), "--set", "policy.job_user=games"});
  EXPECT_NE(of_jobs.out.find(" belongs to uid "), std::string::npos) << of_jobs.out << of_jobs.err;
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
}

TEST_F(TrustedProgramsTest, FaultG1WhatCouldBeReplacedSinceTheStartIsNotTakenAtAReloadNorAtTheNextStart) {
  daemon_.RunFrom(bin_);
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  ASSERT_EQ(::chmod(bin_.c_str(), 0777), 0);
  const Output reloaded = daemon_.Do({"admin", "reload"}, "admin");
  EXPECT_NE(reloaded.code(), 0);
  EXPECT_NE(reloaded.err.find("jobd's programs: the folder " + bin_ + " (mode 0777)"), std::string::npos) << reloaded.err;
  const std::string id = daemon_.Ok({"run", "-d", "--", "sleep", "300"});
  daemon_.EndServer();
  EXPECT_TRUE(WaitUntil([&] {
    return daemon_.log().find("starting jobd-server: jobd's programs: the folder ") != std::string::npos;
  })) << daemon_.log();
  ASSERT_EQ(::chmod(bin_.c_str(), 0755), 0);
  daemon_.StartServer();
  EXPECT_EQ(daemon_.Do({"cancel", id}).code(), 0) << "what ran has run on";
  EXPECT_EQ(daemon_.Do({"admin", "reload"}, "admin").code(), 0);
}

// What the job gets hold of below the working directory that it asked for, of jobd of an ordinary user.
class OrdinaryProgramsTest : public TrustedProgramsTest, public testing::WithParamInterface<const char*> {
 protected:
  // Tries all ways to have another program in their place.
  Output Attack(const std::string& workdir, const std::string& bin) {
    const std::string script =
        "bin='" + bin +
        "'; cat $bin/jobd-server >/dev/null && echo READ; echo x >>$bin/jobd-server && echo CHANGED; "
        "cp /bin/true $bin/new && mv $bin/new $bin/jobd-server && echo REPLACED; rm -f $bin/jobd && echo REMOVED; "
        "chmod 777 $bin && echo OPENED; mv $bin ${bin%bin}old && mkdir $bin && echo MOVED; "
        "d=${bin%/bin}; test \"$d\" = \"$bin\" || { mv $d ${d}2 && echo MOVED ABOVE; }; exit 0";
    return daemon_.Do({"run", "--profile", GetParam(), "--workdir", workdir, "--", "sh", "-c", script});
  }
};
INSTANTIATE_TEST_SUITE_P(Profiles, OrdinaryProgramsTest, testing::Values("standard", "strict"),
                         [](const auto& profile) { return std::string(profile.param); });

TEST_P(OrdinaryProgramsTest, FaultG1AJobThatRunsAsJobdDoesNotGetAtItsPrograms) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root to start jobd as somebody else");
  daemon_.BelongTo(kUser, bin_);
  for (const std::string& path : {place_.path(), home_}) ASSERT_EQ(::chown(path.c_str(), kUser, kUser), 0);
  const std::string before = Sha256(ReadFileOrEmpty(bin_ + "/jobd-server"));
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  for (const auto& [workdir, bin] : {std::pair{place_.path(), "srv/bin"}, {home_, "bin"}}) {
    const Output output = Attack(workdir, bin);
    EXPECT_EQ(output.code(), 0) << output.err;
    EXPECT_EQ(output.out, "") << output.err;
  }
  const Output inside = Attack(bin_, ".");
  EXPECT_EQ(inside.code(), 125) << inside.out;
  EXPECT_NE(inside.err.find("working directory"), std::string::npos) << inside.err;
  EXPECT_EQ(Sha256(ReadFileOrEmpty(bin_ + "/jobd-server")), before);
  EXPECT_TRUE(fs::exists(bin_ + "/jobd"));
  daemon_.KillServer();
}

TEST_P(OrdinaryProgramsTest, FaultG1ProgramsOfTheSystemStayToBeSeen) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root to start jobd as somebody else");
  daemon_.BelongTo(kUser, bin_);
  for (const char* name : {"", "/jobd", "/jobd-server"}) ASSERT_EQ(::chown((bin_ + name).c_str(), 0, 0), 0);
  ASSERT_TRUE(daemon_.Start()) << daemon_.log();
  const Output output = Attack(bin_, ".");
  EXPECT_EQ(output.code(), 0) << output.err;
  EXPECT_EQ(output.out, "READ\n") << output.err;
}

}  // namespace
}  // namespace jobd::e2e
