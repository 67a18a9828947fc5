// The files of a configuration: each that is named is held to one rule, and what was checked is what is given on.
#include "daemon/configuration.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "base/files.h"
#include "config/setting.h"
#include "daemon/start_checks.h"
#include "sandbox/isolation/accounts.h"
#include "tests/support/require.h"
#include "tests/support/temp_dir.h"

namespace jobd::daemon {
namespace {

namespace fs = std::filesystem;

class ConfigurationTest : public testing::Test {
 protected:
  ConfigurationTest() {
    std::string text = "[server]\nlisten = \"127.0.0.1:0\"\nstate_dir = \"state\"\nlog_dir = \"logs\"\nruntime_dir = \"run\"\n";
    std::string section = "server";
    for (const TrustedFile& file : kTrustedFiles) {
      const std::string setting = file.setting;
      const std::string name = setting.substr(setting.find('.') + 1);
      if (setting.substr(0, setting.find('.')) != section) {
        section = setting.substr(0, setting.find('.'));
        text += "[" + section + "]\n";
      }
      text += name + " = \"" + PathOf(file) + "\"\n";
      fs::create_directories(dir_ / FolderOf(file));
      fs::permissions(dir_ / FolderOf(file), fs::perms(0755));
      const std::string content = setting == "users.file" ? "[[user]]\nname = \"admin\"\nrole = \"admin\"\n" : "";
      Write(PathOf(file), content);
    }
    fs::create_directories(dir_ / "etc");
    fs::permissions(dir_ / "etc", fs::perms(0755));
    options_.config_file = dir_.path() + "/etc/jobd.toml";
    Write(options_.config_file, text);
  }

  static std::string FolderOf(const TrustedFile& file) { return "folder-" + std::string(file.setting); }
  std::string PathOf(const TrustedFile& file) const { return dir_.path() + "/" + FolderOf(file) + "/file"; }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::trunc) << text;
    ::chmod(path.c_str(), 0600);
  }
  std::string ErrorOf() const {
    const auto opened = OpenConfiguration(options_);
    return opened.ok() ? "OK" : opened.error().message();
  }
  // Every file that decides, as it is named and where it is.
  void ForEach(const std::function<void(const std::string& setting, const std::string& path)>& visit) const {
    visit("configuration", options_.config_file);
    for (const TrustedFile& file : kTrustedFiles) visit(file.setting, PathOf(file));
  }

  test::TempDir dir_;
  Options options_;
};

TEST_F(ConfigurationTest, FaultD14TheListHasEveryPathThatIsRead) {
  // What a setting names and we only write to, or list.
  for (const config::Setting& setting : config::Settings()) {
    if (setting.path == nullptr || setting.key.ends_with("_dir") || setting.key == "log.file") continue;
    const auto* const found = std::find_if(std::begin(kTrustedFiles), std::end(kTrustedFiles),
                                           [&](const TrustedFile& file) { return setting.path == file.path; });
    EXPECT_NE(found, std::end(kTrustedFiles)) << setting.key << " names a file that is read without the rule";
  }
}

TEST_F(ConfigurationTest, FaultD14EveryFileThatDecidesIsHeldToTheRule) {
  ASSERT_EQ(ErrorOf(), "OK");
  ForEach([&](const std::string& setting, const std::string& path) {
    const std::string folder = fs::path(path).parent_path();
    for (const mode_t mode : {0666u, 0620u, 0602u}) {
      ::chmod(path.c_str(), mode);
      EXPECT_NE(ErrorOf().find("the file " + path + " (mode "), std::string::npos) << setting << ": " << ErrorOf();
    }
    ::chmod(path.c_str(), 0600);
    for (const mode_t mode : {0777u, 0775u}) {
      ::chmod(folder.c_str(), mode);
      EXPECT_NE(ErrorOf().find("the folder " + folder + " (mode "), std::string::npos) << setting << ": " << ErrorOf();
    }
    ::chmod(folder.c_str(), 0755);
    EXPECT_EQ(ErrorOf(), "OK") << setting;
  });
}

TEST_F(ConfigurationTest, FaultD14WhatIsNoFileIsNeitherOpenedNorWaitedFor) {
  ForEach([&](const std::string& setting, const std::string& path) {
    const std::string aside = path + ".aside";
    fs::rename(path, aside);
    EXPECT_NE(ErrorOf(), "OK") << setting << " is missing";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    EXPECT_NE(ErrorOf().find("is not a file"), std::string::npos) << setting << ": " << ErrorOf();
    fs::remove(path);
    fs::create_directory(path);
    EXPECT_NE(ErrorOf(), "OK") << setting;
    fs::remove(path);
    fs::create_symlink("/dev/zero", path);
    EXPECT_NE(ErrorOf().find("is not a file"), std::string::npos) << setting << ": " << ErrorOf();
    fs::remove(path);
    fs::create_symlink(fs::path(path).filename(), path);
    EXPECT_NE(ErrorOf(), "OK") << setting << " is a link to itself";
    fs::remove(path);
    fs::create_symlink(aside, path);
    EXPECT_EQ(ErrorOf(), "OK") << setting << ": a link of ours is one of nobody else's";
    fs::remove(path);
    // Sparse: nothing of it is on the disk.
    const base::Fd huge(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(::ftruncate(huge.get(), 1ll << 40), 0);
    EXPECT_NE(ErrorOf(), "OK") << setting << " has a terabyte";
    fs::remove(path);
    fs::rename(aside, path);
  });
  EXPECT_EQ(ErrorOf(), "OK");
}

TEST_F(ConfigurationTest, FaultD14AFileOrLinkOfAnothersIsRefused) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root");
  ForEach([&](const std::string& setting, const std::string& path) {
    ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
    EXPECT_NE(ErrorOf().find("belongs to uid 65534"), std::string::npos) << setting << ": " << ErrorOf();
    ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
    fs::rename(path, path + ".aside");
    fs::create_symlink(path + ".aside", path);
    ASSERT_EQ(::lchown(path.c_str(), 65534, 65534), 0);
    EXPECT_NE(ErrorOf().find("the symbolic link " + path + " belongs to uid 65534"), std::string::npos)
        << setting << ": " << ErrorOf();
    fs::remove(path);
    fs::rename(path + ".aside", path);
  });
  EXPECT_EQ(ErrorOf(), "OK");
}

TEST_F(ConfigurationTest, FaultD23WhatWasReadIsGivenOnWhateverBecomesOfTheFiles) {
  const auto opened = OpenConfiguration(options_);
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  ForEach([&](const std::string&, const std::string& path) { Write(path, "other"); });
  for (size_t i = 0; i < opened->names.size(); ++i) {
    const auto again = base::OpenAt(AT_FDCWD, "/proc/self/fd/" + std::to_string(opened->fds[i].get()), O_RDONLY);
    ASSERT_TRUE(again.ok());
    const auto bytes = base::ReadAll(again->get(), 1 << 20);
    ASSERT_TRUE(bytes.ok());
    EXPECT_EQ(bytes->find("other"), std::string::npos) << opened->names[i];
  }
}

TEST_F(ConfigurationTest, FaultC17UnknownNamesAreGivenOnAsWarnings) {
  for (const TrustedFile& file : kTrustedFiles) {
    if (file.path != &config::Config::users_file) continue;
    Write(PathOf(file), "[[user]]\nname = \"admin\"\nrole = \"admin\"\nprofiles = [\"standart\"]\n");
  }
  const auto opened = OpenConfiguration(options_);
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  ASSERT_EQ(opened->warnings.size(), 1u);
  EXPECT_NE(opened->warnings[0].find("did you mean 'standard'?"), std::string::npos);
  EXPECT_EQ(opened->names.back(), "warnings");
}

TEST_F(ConfigurationTest, FaultC14FoldersThatCannotBeMadeOrUsed) {
  const auto check = [&](const std::string& flag) {
    options_.set_flags = {flag};
    options_.external_server = true;
    const auto opened = OpenConfiguration(options_);
    if (!opened.ok()) return opened.error().message();
    const auto account = FindServerAccount(opened->config);
    if (!account.ok()) return account.error().message();
    const auto checked = RunStartChecks({options_, *opened, *account});
    return checked.ok() ? std::string("OK") : checked.error().message();
  };
  EXPECT_EQ(check("log.level=info"), "OK");
  for (const char* setting : {"server.state_dir", "server.log_dir", "server.runtime_dir"}) {
    for (const char* path : {"/proc/nowhere/jobd", "/dev/null/jobd", "/etc/passwd"}) {
      const std::string error = check(std::string(setting) + "=" + path);
      EXPECT_TRUE(error.find(path) != std::string::npos || error.find(setting) != std::string::npos)
          << setting << path << ": " << error;
      EXPECT_NE(error, "OK");
    }
  }
  EXPECT_NE(check("log.file=/nowhere/at/all/jobd.log"), "OK");
  EXPECT_NE(check("log.file=" + dir_.path()), "OK") << "a folder";
  EXPECT_NE(check("metrics.listen=unix:/nowhere/at/all"), "OK");
  EXPECT_NE(check("metrics.listen=unix:" + options_.config_file), "OK") << "a file is not replaced";
  EXPECT_FALSE(fs::exists(dir_ / "etc/state")) << "a check makes nothing";
}

TEST_F(ConfigurationTest, FaultC17AnAccountThatIsNamedAndNotThereIsWarnedOf) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root: else jobd-server and jobs run as we do");
  const auto warnings = [&] {
    const auto opened = OpenConfiguration(options_);
    std::string all = opened.ok() ? "" : opened.error().message();
    for (size_t i = 0; opened.ok() && i < opened->warnings.size(); ++i) all += opened->warnings[i] + "\n";
    return all;
  };
  EXPECT_EQ(warnings().find("server.user"), std::string::npos) << "nobody named one: " << warnings();
  for (const std::string name : {"nosuchuser", "jobd"}) {
    if (sandbox::FindAccount(name).ok()) continue;
    options_.set_flags = {"server.user=" + name};
    EXPECT_NE(warnings().find("server.user: there is no account '" + name + "': jobd-server runs as nobody"), std::string::npos)
        << warnings();
  }
  options_.set_flags = {"server.user=daemon", "policy.job_user=nosuchuser"};
  EXPECT_EQ(warnings().find("server.user"), std::string::npos) << warnings();
  EXPECT_NE(warnings().find("policy.job_user: there is no account 'nosuchuser'"), std::string::npos) << warnings();
}

}  // namespace
}  // namespace jobd::daemon
