// The file of a token: what is taken from it, and what is left alone.
#include "cli/connect/token_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "auth/access_token.h"
#include "tests/support/temp_dir.h"

namespace jobd::cli {
namespace {

class TokenFileTest : public testing::Test {
 protected:
  // A file of this text, for its owner alone.
  std::string File(const std::string& text, mode_t mode = 0600) {
    const std::string path = folder_.path() + "/token";
    ::unlink(path.c_str());
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }

  test::TempDir folder_;
  const std::string token_ = auth::AccessToken::Generate().text();
};

TEST_F(TokenFileTest, WhatIsNoTokenIsRefusedAndNotShown) {
  std::string mistyped = token_;
  mistyped[20] = mistyped[20] == 'A' ? 'B' : 'A';
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string("hunter2"), mistyped, token_ + " ", token_ + "\r\n", token_ + "\n" + token_,
        "Bearer " + token_, std::string("{"), std::string("{}"), std::string("{\"access_token\": 7}"),
        std::string("{\"access_token\": \"hunter2\"}"), std::string("[\"hunter2\"]"), token_ + std::string(1, '\0'),
        std::string("-----BEGIN PRIVATE KEY-----\nhunter2\n")}) {
    const std::string path = File(text);
    const auto read = ReadTokenFile(path);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().code(), base::Code::kFailedPrecondition) << text;
    EXPECT_NE(read.error().message().find(path + " holds no access token"), std::string::npos) << read.error().message();
    EXPECT_NE(read.error().message().find("jobctl login"), std::string::npos) << read.error().message();
    EXPECT_EQ(read.error().message().find("hunter2"), std::string::npos) << read.error().message();
    EXPECT_EQ(CheckReplaceable(path).ok(), text.empty()) << text;
  }
}

TEST_F(TokenFileTest, ABareTokenIsForAnyConnection) {
  const auto read = ReadTokenFile(File(token_ + "\n"));
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->token, token_);
  EXPECT_EQ(read->renew_at, 0);
  EXPECT_TRUE(IsFor(*read, {.address = "elsewhere:1"}));
}

TEST_F(TokenFileTest, WhatWasWrittenIsRead) {
  const std::string path = folder_.path() + "/new/folder/token";
  const StoredToken stored{
      .token = token_, .address = "h:1", .certificate = "ab", .user = "ann", .session = "s-1", .renew_at = 5, .expires_at = 9};
  ASSERT_TRUE(WriteTokenFile(path, stored).ok());
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat((folder_.path() + "/new").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  const auto read = ReadTokenFile(path);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(*read, stored);
  EXPECT_TRUE(CheckReplaceable(path).ok());
  EXPECT_TRUE(CheckReplaceable(path + "-that-is-not-there").ok());
  EXPECT_FALSE(IsFor(*read, {.address = "elsewhere:1"}));
}

TEST_F(TokenFileTest, AFileOfOthersALinkAndAFolderAreRefused) {
  const std::string path = File(token_, 0640);
  const auto loose = ReadTokenFile(path);
  ASSERT_FALSE(loose.ok());
  EXPECT_NE(loose.error().message().find("chmod 600 " + path), std::string::npos) << loose.error().message();
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  const std::string link = folder_.path() + "/link";
  ASSERT_EQ(::symlink(path.c_str(), link.c_str()), 0);
  EXPECT_FALSE(ReadTokenFile(link).ok());
  EXPECT_FALSE(CheckReplaceable(link).ok());
  EXPECT_FALSE(ReadTokenFile(folder_.path()).ok());
  EXPECT_FALSE(CheckReplaceable(folder_.path()).ok());
}

}  // namespace
}  // namespace jobd::cli
