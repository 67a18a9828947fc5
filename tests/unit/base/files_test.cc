#include "base/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temp_dir.h"

namespace jobd::base {
namespace {

class FilesTest : public testing::Test {
 protected:
  const test::TempDir temp_;
  const std::string path_ = temp_.path();
  const Fd dir_ = temp_.Open();
};

TEST_F(FilesTest, DescriptorsAreBornCloseOnExec) { EXPECT_NE(::fcntl(dir_.get(), F_GETFD) & FD_CLOEXEC, 0); }

TEST_F(FilesTest, OpenBeneathRefusesLinksAndClimbing) {
  ASSERT_EQ(::symlink("/etc/passwd", (path_ + "/link").c_str()), 0);
  ASSERT_TRUE(ReplaceFile(dir_.get(), "plain", "x", 0600).ok());
  EXPECT_TRUE(OpenBeneath(dir_.get(), "plain", O_RDONLY).ok());
  EXPECT_FALSE(OpenBeneath(dir_.get(), "link", O_RDONLY).ok());
  EXPECT_FALSE(OpenBeneath(dir_.get(), "../plain", O_RDONLY).ok());
  EXPECT_FALSE(OpenBeneath(dir_.get(), "/etc/passwd", O_RDONLY).ok());
}

TEST_F(FilesTest, ReplaceFileReplacesTheWholeAndKeepsNothingElse) {
  ASSERT_TRUE(ReplaceFile(dir_.get(), "a", "a long first content", 0600).ok());
  ASSERT_TRUE(ReplaceFile(dir_.get(), "a", "short", 0600).ok());
  EXPECT_EQ(ReadFile(dir_.get(), "a").value(), "short");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path_), {}), 1);
}

TEST_F(FilesTest, ReadFileHasABound) {
  ASSERT_TRUE(ReplaceFile(dir_.get(), "a", std::string(100, 'x'), 0600).ok());
  EXPECT_EQ(ReadFile(dir_.get(), "a", 99).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(ReadFile(dir_.get(), "absent").error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace jobd::base
