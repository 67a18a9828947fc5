// A launcher with all profiles, and jobs whose output is what a test asks about.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/process/harness/launcher_host.h"

namespace jobd::process_test {

// Beside the built-in profiles: "offline" (standard without network), "landlocked" (standard with Landlock), "small" (standard with
// small limits).
sandbox::Profiles TestProfiles();

class SandboxTest : public testing::Test {
 protected:
  struct How {
    std::string workdir;
    std::string user;
  };

  SandboxTest();

  // What a job prints that runs `script` by sh under `profile`. Its failure to start is the test's failure.
  std::string Run(const std::string& profile, const std::string& script, How how = {.workdir = {}, .user = {}});
  std::string secret_file() const { return open_.path() + "/secret"; }

  TempDir logs_;
  TempDir hidden_;     // what jobd hides
  TempDir open_;       // a folder for everybody, below /tmp, with the file `given`; its file `secret` is hidden
  TempDir elsewhere_;  // a folder for everybody, not below /tmp
  HostOptions options_;
  LauncherHost host_;

 private:
  HostOptions MakeOptions() const;
  int runs_ = 0;
};

}  // namespace jobd::process_test
