// What jobctl says of a command line that is wrong. None of these gets as far as a connection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/app.h"

namespace jobd::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Said(std::vector<std::string> words) {
  words.insert(words.begin(), "jobctl");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  testing::internal::CaptureStderr();
  const int code = Main(static_cast<int>(words.size()), argv.data());
  std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(code, 2) << text;
  return text;
}

// It proposed `-9` as the ID.
TEST(UsageTest, FaultC4SignalsAsKillHasThem) {
  EXPECT_THAT(Said({"kill", "-9", "last"}), HasSubstr("`jobctl kill -s 9 last`"));
  EXPECT_THAT(Said({"kill", "-9", "a", "b/2"}), HasSubstr("`jobctl kill -s 9 a b/2`"));
  EXPECT_THAT(Said({"kill", "-TERM", "last"}), HasSubstr("`jobctl kill -s TERM"));
  EXPECT_THAT(Said({"kill", "-SIGUSR1", "last"}), HasSubstr("`jobctl kill -s SIGUSR1"));
  EXPECT_THAT(Said({"kill", "last"}), HasSubstr("`jobctl kill -s TERM last`"));
}

TEST(UsageTest, FaultC5AnOptionThatIsGivenTwice) {
  const std::string twice = Said({"--address", "a", "--address", "b", "whoami"});
  EXPECT_THAT(twice, HasSubstr("--address is given twice"));
  EXPECT_THAT(twice, Not(HasSubstr("At Most")));
  EXPECT_THAT(Said({"run", "--timeout", "1", "--timeout", "2", "--timeout", "3", "--", "true"}),
              HasSubstr("--timeout is given 3 times"));
  EXPECT_THAT(Said({"submit", "-f", "a", "-f", "b"}), HasSubstr("--file is given twice"));
}

}  // namespace
}  // namespace jobd::cli
