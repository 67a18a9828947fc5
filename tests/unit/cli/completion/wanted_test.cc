#include "cli/completion/wanted.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace jobd::cli {
namespace {

TEST(WantedTest, FaultC19TheFirstWordOfACommandIsAProgram) {
  CLI::App root("", "jobctl");
  CLI::App* const run = root.add_subcommand("run", "");
  std::string value;
  run->add_option("--timeout", value, "");
  const auto kind = [&root](const Arguments& words) { return WantedAt(root, words).kind; };
  EXPECT_EQ(kind({"run", "ech"}), Wanted::Kind::kCommands);
  EXPECT_EQ(kind({"run", "--", "ech"}), Wanted::Kind::kCommands);
  EXPECT_EQ(kind({"run", "--timeout", "3", "--", ""}), Wanted::Kind::kCommands);
  EXPECT_EQ(kind({"run", "--", "echo", "f"}), Wanted::Kind::kFiles);
  EXPECT_EQ(kind({"run", "echo", "f"}), Wanted::Kind::kFiles);
  EXPECT_EQ(kind({"run", "--", "echo", "--", "f"}), Wanted::Kind::kFiles);
}

}  // namespace
}  // namespace jobd::cli
