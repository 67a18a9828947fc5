// What a line looks like to people and to machines.
#include "logging/logging.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <filesystem>

#include "base/files.h"
#include "logging/fields.h"
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

}  // namespace
}  // namespace jobd::logging
