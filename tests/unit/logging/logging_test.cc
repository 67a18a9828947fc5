// What a line looks like to people and to machines.
#include "logging/logging.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/files.h"
#include "logging/fields.h"
#include "tests/support/freezable_disk.h"
#include "tests/support/require.h"
#include "tests/support/temp_dir.h"

namespace jobd::logging {
namespace {

class LoggingTest : public ::testing::Test {
 protected:
  // The line that `message` becomes, behind its time.
  std::string Logged(const std::string& format, const std::string& message) {
    const std::string file = dir_ / "log";
    std::filesystem::remove(file);
    const auto log = Create({.format = format, .file = file, .program = "test"});
    EXPECT_TRUE(log.ok());
    (*log)->info("{}", message);
    const std::string line = base::ReadFile(AT_FDCWD, file).value();
    return line.substr(line.find('Z') + 1);
  }
  const test::TempDir dir_;
};

TEST_F(LoggingTest, AMessageCannotEndItsJsonText) {
  EXPECT_EQ(Logged("json", "a\"}\n\\b"), "\",\"program\":\"test\",\"level\":\"info\",\"message\":\"a\\\"}\\u000a\\\\b\"}\n");
}

TEST_F(LoggingTest, FieldsAreMembersInJsonAndWordsInText) {
  const std::string line = Line("accepted", {{"correlation_id", "b-1"}, {"owner", "ann"}});
  EXPECT_EQ(Logged("json", line),
            "\",\"program\":\"test\",\"level\":\"info\",\"message\":\"accepted\",\"correlation_id\":\"b-1\",\"owner\":\"ann\"}\n");
  EXPECT_EQ(Logged("text", line), " test info accepted correlation_id=b-1 owner=ann\n");
}

TEST_F(LoggingTest, AFieldsValueCannotEndItsJsonText) {
  EXPECT_EQ(Logged("json", Line("m", {{"by", "x\",\"y\":\"="}, {"empty", ""}})),
            "\",\"program\":\"test\",\"level\":\"info\",\"message\":\"m\",\"by\":\"x\\\",\\\"y\\\":\\\"=\",\"empty\":\"\"}\n");
}

TEST_F(LoggingTest, FaultC16ARenamedFileIsLeftAtAReopening) {
  const std::string file = dir_ / "log";
  const auto log = Create({.file = file, .program = "test"});
  ASSERT_TRUE(log.ok());
  (*log)->info("before");
  std::filesystem::rename(file, file + ".1");
  (*log)->info("between");
  ASSERT_TRUE(Reopen(**log).ok());
  (*log)->info("after");
  const auto has = [](const std::string& name, const char* text) {
    return base::ReadFile(AT_FDCWD, name).value().find(text) != std::string::npos;
  };
  EXPECT_TRUE(has(file + ".1", "between"));
  EXPECT_FALSE(has(file + ".1", "after"));
  EXPECT_TRUE(has(file, "after"));
}

TEST_F(LoggingTest, FaultC16WhereTheNewFileCannotBeMadeTheOldOneStays) {
  const std::string folder = dir_ / "logs";
  std::filesystem::create_directory(folder);
  const auto log = Create({.file = folder + "/log", .program = "test"});
  ASSERT_TRUE(log.ok());
  std::filesystem::rename(folder, folder + ".1");
  EXPECT_FALSE(Reopen(**log).ok());
  (*log)->info("after");
  EXPECT_NE(base::ReadFile(AT_FDCWD, folder + ".1/log").value().find("after"), std::string::npos);
}

TEST_F(LoggingTest, FaultD8ADiskThatHangsHoldsNobodyUp) {
  test::FreezableDisk disk;
  JOBD_REQUIRE(disk.mounted(), "needs to mount an ext4 file system by a loop device");
  const std::string file = disk.path() + "/log";
  auto log = Create({.file = file, .program = "test"});
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE(WriteElsewhere(**log).ok());
  (*log)->info("first");
  ASSERT_TRUE(disk.Freeze());
  const std::string line(1000, 'x');
  for (int i = 0; i < 5000; ++i) (*log)->info(line);
  disk.Thaw();
  const auto has = [&](const char* text) { return base::ReadFile(AT_FDCWD, file).value().find(text) != std::string::npos; };
  while (!has(" lines of the log were lost here: ")) (*log)->info("again");
  EXPECT_TRUE(has("first"));
}

TEST_F(LoggingTest, FaultD8WhatAnotherProcessWritesIsWholeAtTheEnd) {
  const std::string file = dir_ / "log";
  {
    auto log = Create({.file = file, .program = "test"});
    ASSERT_TRUE(log.ok());
    ASSERT_TRUE(WriteElsewhere(**log).ok());
    for (int i = 0; i < 100; ++i) (*log)->info("{}", i);
    std::filesystem::rename(file, file + ".1");
    ASSERT_TRUE(Reopen(**log).ok());
    (*log)->info("after");
  }
  EXPECT_NE(base::ReadFile(AT_FDCWD, file).value().find("after"), std::string::npos);
  EXPECT_EQ(base::ReadFile(AT_FDCWD, file).value().find("99"), std::string::npos);
  EXPECT_EQ(std::ranges::count(base::ReadFile(AT_FDCWD, file + ".1").value(), '\n'), 100);
}

}  // namespace
}  // namespace jobd::logging
