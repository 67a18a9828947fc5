#include "daemon/trusted_path.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/require.h"
#include "tests/support/temp_dir.h"

namespace jobd::daemon {
namespace {

// What jobd trusts, in a folder of the test's own: home/etc/users.toml.
class TrustedPathTest : public testing::Test {
 protected:
  TrustedPathTest() : home_(dir_.path() + "/home"), file_(home_ + "/etc/users.toml") {
    std::filesystem::create_directories(home_ + "/etc");
    std::ofstream(file_) << "x";
    ::chmod(dir_.path().c_str(), 0755);
    ::chmod(home_.c_str(), 0755);
    ::chmod((home_ + "/etc").c_str(), 0755);
    ::chmod(file_.c_str(), 0644);
  }
  static std::string Refusal(const std::string& path) {
    const auto file = OpenTrustedFile(path);
    return file.ok() ? "" : std::string(base::CodeName(file.error().code())) + " " + file.error().message();
  }

  test::TempDir dir_;
  const std::string home_;
  const std::string file_;
};

TEST_F(TrustedPathTest, WhatOnlyWeCanChangeIsTaken) {
  EXPECT_EQ(Refusal(file_), "");
  ::chmod(file_.c_str(), 0600);
  EXPECT_EQ(Refusal(home_ + "/./etc//../etc/users.toml"), "");
}

TEST_F(TrustedPathTest, FaultD14AFileThatOthersCanWriteIsRefusedWithItsMode) {
  for (const mode_t mode : {0666u, 0664u, 0646u}) {
    ::chmod(file_.c_str(), mode);
    EXPECT_NE(Refusal(file_).find("PERMISSION_DENIED the file " + file_ + " (mode 06"), std::string::npos) << Refusal(file_);
    EXPECT_NE(Refusal(file_).find("chmod go-w " + file_), std::string::npos);
  }
}

TEST_F(TrustedPathTest, FaultD14AFolderOnTheWayThatOthersCanWriteIsRefused) {
  for (const std::string& folder : {home_, home_ + "/etc"}) {
    for (const mode_t mode : {0777u, 0775u}) {
      ::chmod(folder.c_str(), mode);
      EXPECT_NE(Refusal(file_).find("the folder " + folder + " (mode 077"), std::string::npos) << Refusal(file_);
    }
    ::chmod(folder.c_str(), 0755);
  }
  EXPECT_EQ(Refusal(file_), "");
}

TEST_F(TrustedPathTest, AStickyFolderIsTakenAsOnlyOwnersRenameInIt) {
  ::chmod(home_.c_str(), 01777);
  EXPECT_EQ(Refusal(file_), "");
}

TEST_F(TrustedPathTest, FaultD14WhatBelongsToAnotherIsRefused) {
  JOBD_REQUIRE(::geteuid() == 0, "only root gives files away");
  for (const std::string& path : {file_, home_ + "/etc", home_}) {
    ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
    EXPECT_NE(Refusal(file_).find(path + " belongs to uid 65534"), std::string::npos) << Refusal(file_);
    ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
  }
}

TEST_F(TrustedPathTest, ALinkIsFollowedAndItsTargetsFoldersAreLookedAt) {
  const std::string open_folder = dir_.path() + "/open";
  std::filesystem::create_directories(open_folder);
  std::ofstream(open_folder + "/users.toml") << "x";
  ::chmod((open_folder + "/users.toml").c_str(), 0644);
  std::filesystem::create_symlink("../../open/users.toml", home_ + "/etc/link");
  EXPECT_EQ(Refusal(home_ + "/etc/link"), "");
  ::chmod(open_folder.c_str(), 0777);
  EXPECT_NE(Refusal(home_ + "/etc/link").find("open (mode 0777)"), std::string::npos) << Refusal(home_ + "/etc/link");
  std::filesystem::create_symlink("loop", home_ + "/etc/loop");
  EXPECT_NE(Refusal(home_ + "/etc/loop").find("Too many levels of symbolic links"), std::string::npos);
}

TEST_F(TrustedPathTest, FaultD14ALinkOfAnotherInAStickyFolderIsRefused) {
  JOBD_REQUIRE(::geteuid() == 0, "only root gives links away");
  ::chmod(home_.c_str(), 01777);
  std::filesystem::create_symlink("etc/users.toml", home_ + "/users.toml");
  EXPECT_EQ(Refusal(home_ + "/users.toml"), "");
  ASSERT_EQ(::lchown((home_ + "/users.toml").c_str(), 65534, 65534), 0);
  EXPECT_NE(Refusal(home_ + "/users.toml").find("the symbolic link " + home_ + "/users.toml belongs to uid 65534"),
            std::string::npos);
}

TEST_F(TrustedPathTest, WhatIsNoFileIsNotOpened) {
  ASSERT_EQ(::mkfifo((home_ + "/etc/pipe").c_str(), 0600), 0);
  EXPECT_NE(Refusal(home_ + "/etc/pipe").find("etc/pipe is not a file"), std::string::npos);
  EXPECT_NE(Refusal(home_ + "/etc").find("etc is not a file"), std::string::npos);
  EXPECT_NE(Refusal("/").find("is not a file"), std::string::npos);
  EXPECT_NE(Refusal(home_ + "/none").find("NOT_FOUND opening " + home_ + "/none: No such file"), std::string::npos)
      << Refusal(home_ + "/none");
}

}  // namespace
}  // namespace jobd::daemon
