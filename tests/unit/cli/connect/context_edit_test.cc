#include "cli/connect/context_edit.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/files.h"
#include "tests/support/temp_dir.h"

namespace jobd::cli {
namespace {

TEST(ContextEditTest, AnotherCurrentChangesOneLineOnly) {
  EXPECT_EQ(WithCurrent("# mine\ncurrent = \"a\"\n[context.a]\ncurrent = 1\n", "b"),
            "# mine\ncurrent = \"b\"\n[context.a]\ncurrent = 1\n");
  EXPECT_EQ(WithCurrent("[context.a]\n", "a"), "current = \"a\"\n[context.a]\n");
  EXPECT_EQ(WithCurrent("currently = 1\n", "a\"b"), "current = \"a\\\"b\"\ncurrently = 1\n");
  EXPECT_EQ(WithCurrent("", "a"), "current = \"a\"\n");
}

TEST(ContextEditTest, WhatWasAddedIsReadAgain) {
  const Context context{.address = "h:1", .ca = "/c a", .cert = "/\"quoted\"", .key = "/k\\", .token_file = "/t"};
  const Environment env = [](const char*) { return std::optional<std::string>(); };
  for (const char* name : {"a", "a.b", "7", "x:y", "current"}) {
    const std::string text = WithContext("# mine\ncurrent = \"old\"\n[context.old]\naddress = \"o:1\"", name, context);
    EXPECT_TRUE(text.starts_with("# mine\ncurrent = \"old\"\n[context.old]\naddress = \"o:1\"\n")) << text;
    const auto parsed = ParseContexts(text, "/f", env);
    ASSERT_TRUE(parsed.ok()) << name << ": " << parsed.error().message();
    EXPECT_EQ(parsed->contexts.at(name), context) << text;
    EXPECT_EQ(parsed->contexts.size(), 2u);
    EXPECT_EQ(*WithoutContext(text, name), "# mine\ncurrent = \"old\"\n[context.old]\naddress = \"o:1\"\n\n");
  }
}

TEST(ContextEditTest, WhatIsRemovedTakesNothingElseWithIt) {
  EXPECT_EQ(*WithoutContext("current = \"a\"\n[context.a]\nca = \"x\"\n[context.\"a.b\"]\nca = \"y\"\n", "a"),
            "[context.\"a.b\"]\nca = \"y\"\n");
  EXPECT_EQ(*WithoutContext("[ context . a ] # mine\nca = \"x\"\n\n[context.b]\n", "a"), "[context.b]\n");
  // Not a table of its own: lines that are taken out would take something else with them, or not all of it.
  for (const char* text : {"[context]\na.ca = \"x\"\nb.ca = \"y\"\n", "[context]\na = {ca = \"x\"}\n",
                           "[context.a]\nca = \"\"\"\n[context.b]\n\"\"\"\n[context.b]\n"}) {
    const auto result = WithoutContext(text, "a");
    ASSERT_FALSE(result.ok()) << text << " became " << *result;
    EXPECT_THAT(result.error().message(), testing::HasSubstr("take it out of the file by hand"));
  }
}

TEST(ContextEditTest, TheFileIsPrivateAndBehindItsLink) {
  const test::TempDir temp;
  const std::string path = temp.path() + "/new/jobctl/config.toml";
  ASSERT_TRUE(SaveContexts(path, "one").ok());
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  ASSERT_EQ(::stat((temp.path() + "/new").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);

  const std::string link = temp.path() + "/link.toml";
  std::filesystem::create_symlink(path, link);
  ASSERT_TRUE(SaveContexts(link, "two").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(*base::ReadFile(AT_FDCWD, path), "two");

  EXPECT_FALSE(SaveContexts(path + "/x", "three").ok()) << "a file is no folder";
}

}  // namespace
}  // namespace jobd::cli
