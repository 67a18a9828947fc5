// A command line that is no good: the thing and what to do, in the words of whoever typed it.
#include "daemon/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace jobd::daemon {
namespace {

// What the real parser makes of it; the words are those that CLI11 of this machine uses.
void Parse(std::vector<std::string> words) {
  words.insert(words.begin(), "jobd");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  (void)ParseOptions(static_cast<int>(argv.size()), argv.data());
}

TEST(UsageDeathTest, FaultC5EachErrorNamesTheThingAndWhatToDo) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--foo"}, "jobd: there is no option '--foo'\nSee `jobd --help`"},
      {{"/etc/jobd.toml"}, "jobd: '/etc/jobd.toml' is not expected: a configuration is named by --config FILE"},
      {{"--config"}, "jobd: --config needs a value: FILE"},
      {{"--set"}, "jobd: --set needs a value: KEY=VALUE"},
      {{"--backup"}, "jobd: --backup needs a value: DIR"},
      {{"--check-config", "a", "--config", "b"}, "jobd: --config and --check-config do not go together: give one of them"},
      {{"--backup", "a", "--restore", "b"}, "jobd: --backup and --restore do not go together: give one of them"},
      {{"--replace"}, "jobd: --replace goes with --restore alone: give both, or neither"},
      {{"--anchors", "x"}, "jobd: --anchors goes with --verify-audit alone: give both, or neither"},
      {{"user"}, "jobd: `jobd user` needs to know what to do: add, passwd, rm, disable, enable or list"},
      {{"user", "frob"}, "jobd: there is no `jobd user frob`: it is add, passwd, rm, disable, enable or list"},
      {{"user", "add"}, "jobd: the NAME of the user is missing"},
      {{"user", "add", "x", "--role", "king"}, "jobd: --role: 'king' is none of admin, operator, viewer"}};
  for (const auto& [words, said] : cases) {
    EXPECT_EXIT(Parse(words), testing::ExitedWithCode(2), testing::HasSubstr(said)) << words.front();
  }
}

TEST(UsageTest, FaultC5WhatIsNotKnownIsSaidAsItIs) {
  EXPECT_EQ(UsageProblem("something new", {}), "something new");
  EXPECT_EQ(UsageProblem("x\x1b[31m", {}).find('\x1b'), std::string::npos);
  EXPECT_EQ(UsageProblem("any", {"a\x1b"}).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace jobd::daemon
