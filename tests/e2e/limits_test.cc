// What may be asked for, from the command line to the kernel: enforced, or refused at submission with the field's name.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/harness/suite.h"

namespace jobd::e2e {
namespace {

class LimitsTest : public DaemonSuite<LimitsTest> {
 protected:
  static Output Run(std::vector<std::string> args, const std::string& user = "operator") {
    args.insert(args.begin(), "run");
    return daemon_->Do(std::move(args), user);
  }
  // Refused before anything was accepted, and the text names the field.
  static void ExpectRefused(const std::vector<std::string>& args, const std::string& field, const std::string& user = "operator") {
    std::vector<std::string> all{"--id", "refused-" + std::to_string(++refusals_)};
    all.insert(all.end(), args.begin(), args.end());
    all.insert(all.end(), {"--", "true"});
    const Output output = Run(all, user);
    EXPECT_TRUE(output.code() == 2 || output.code() == 125) << field << output.code();
    EXPECT_NE(output.err.find(field), std::string::npos) << output.err;
    EXPECT_NE(daemon_->Do({"status", all[1]}, user).code(), 0) << "nothing of it is kept";
  }
  static int refusals_;
};

int LimitsTest::refusals_ = 0;

TEST_F(LimitsTest, WhatCannotBeEnforcedIsRefusedAtSubmission) {
  ExpectRefused({"--profile", "no-such-profile"}, "profile");
  ExpectRefused({"--profile", "open", "--tmp-size", "1M"}, "--tmp-size: ");
  ExpectRefused({"--tmp-size", "2G"}, "--tmp-size: ");
  ExpectRefused({"--open-files", "4000000"}, "--open-files: ");
  const auto status = nlohmann::json::parse(daemon_->Do({"admin", "status", "--json"}, "admin").out);
  for (const auto& [name, option, field] :
       {std::tuple{"io read limit", "--io-read", "--io-read: "}, std::tuple{"io write limit", "--io-write", "--io-write: "}}) {
    bool told = false;
    for (const auto& capability : status.at("isolation")) {
      if (capability.at("name") != name) continue;
      told = true;
      if (capability.at("available")) {
        EXPECT_EQ(Run({option, "10M", "--", "true"}).code(), 0);
      } else {
        ExpectRefused({option, "10M"}, field);
      }
    }
    EXPECT_TRUE(told) << name;
  }
}

TEST_F(LimitsTest, ABatchWithOneBadJobIsRefusedWhole) {
  const Output output = daemon_->Do({"submit", "--id", "half", "-f", "-"}, "operator", R"({"argv": ["true"]}
{"argv": ["true"], "profile": "none"}
)");
  EXPECT_TRUE(output.code() == 2 || output.code() == 4) << output.code();
  EXPECT_NE(output.err.find("standard input:2: profile: "), std::string::npos) << output.err;
  EXPECT_NE(daemon_->Do({"status", "half"}).code(), 0);
}

TEST_F(LimitsTest, OptionsReachTheJob) {
  const Output output = Run({"--open-files", "40", "--file-size", "1M", "--tmp-size", "2M", "--", "sh", "-c",
                             "ulimit -n; ulimit -f; df --output=size /tmp | tail -n 1 | tr -d ' '"});
  EXPECT_EQ(output.out, "40\n2048\n2048\n") << output.err;
}

TEST_F(LimitsTest, KeysOfABatchFileReachTheJob) {
  const std::string id = daemon_->Ok({"submit", "--wait", "-f", "-"}, "operator", R"(jobs:
  - {shell: "ulimit -n", open_files: 41}
  - {shell: "ulimit -f", file_size: 512K}
  - {shell: "df --output=size /tmp | tail -n 1 | tr -d ' '", tmp_size: 3M}
)");
  EXPECT_EQ(daemon_->Ok({"logs", "--raw", id + "/1"}), "41");
  EXPECT_EQ(daemon_->Ok({"logs", "--raw", id + "/2"}), "1024");
  EXPECT_EQ(daemon_->Ok({"logs", "--raw", id + "/3"}), "3072");
}

TEST_F(LimitsTest, AFileThatGrowsTooLargeIsNamedInTheOutcome) {
  const Output output = Run({"--id", "large-file", "--file-size", "64K", "--", "dd", "if=/dev/zero", "of=/tmp/x", "bs=4K"});
  EXPECT_EQ(output.code(), 128 + 25);
  EXPECT_NE(output.err.find("file size limit of 64 KiB reached"), std::string::npos) << output.err;
  const auto status = nlohmann::json::parse(daemon_->Do({"status", "--json", "large-file"}).out);
  EXPECT_EQ(status.at("jobs").at(0).at("reason").at("code"), "FILE_SIZE_LIMIT");
}

TEST_F(LimitsTest, AUsersBoundsHoldForWhatIsAskedAndWhatIsNot) {
  const std::string users = daemon_->CertDir() + "/users.toml";
  const std::string before = ReadFileOrEmpty(users);
  WriteFile(users, before +
                       "\n[role.operator]\nprofiles = [\"standard\"]\nworkdirs = [\"/srv\"]\nmax_memory = "
                       "\"64M\"\nmax_open_files = 50\nmax_timeout = \"10m\"\n");
  daemon_->Ok({"admin", "reload"}, "admin");
  ExpectRefused({"--memory", "65M"}, "--memory: ");
  ExpectRefused({"--open-files", "51"}, "--open-files: ");
  ExpectRefused({"--timeout", "11m"}, "timeout");
  ExpectRefused({"--profile", "strict"}, "profile");
  ExpectRefused({"--workdir", "/etc"}, "workdir");
  EXPECT_EQ(Run({"--workdir", "/srv", "--memory", "64M", "--", "pwd"}).out, "/srv\n");
  EXPECT_EQ(Run({"--", "sh", "-c", "ulimit -n"}).out, "50\n") << "who asks for nothing does not get more";
  const Output hungry = Run({"--", "tail", "/dev/zero"});
  EXPECT_NE(hungry.err.find("memory limit of 64 MiB reached"), std::string::npos) << hungry.err;
  EXPECT_EQ(Run({"--profile", "strict", "--", "true"}, "admin").code(), 0) << "others are not concerned";
  WriteFile(users, before);
  daemon_->Ok({"admin", "reload"}, "admin");
}

}  // namespace
}  // namespace jobd::e2e
