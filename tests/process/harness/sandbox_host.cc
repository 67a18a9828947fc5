#include "tests/process/harness/sandbox_host.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

namespace jobd::process_test {

sandbox::Profiles TestProfiles() {
  auto profiles = sandbox::Profiles::Parse("profiles.toml", R"(
[profile.offline]
network = false
[profile.landlocked]
landlock = true
[profile.small]
inherits = "standard"
tmp_size = "4M"
tmp_files = 64
file_size = "1M"
open_files = 64
)");
  EXPECT_TRUE(profiles.ok()) << profiles.error().message();
  return std::move(profiles).value();
}

SandboxTest::SandboxTest() : elsewhere_(PayloadDir()), options_(MakeOptions()), host_(options_) {}

HostOptions SandboxTest::MakeOptions() const {
  std::ofstream(hidden_.path() + "/secret") << "secret";
  std::ofstream(open_.path() + "/given") << "here\n";
  std::ofstream(secret_file()) << "secret";
  EXPECT_EQ(::chmod(open_.path().c_str(), 0777), 0);
  EXPECT_EQ(::chmod(elsewhere_.path().c_str(), 0777), 0);
  HostOptions options;
  options.log_dir = logs_.path();
  options.hidden = {logs_.path(), hidden_.path(), secret_file()};
  options.policy.profiles = TestProfiles();
  options.policy.owners["owner"].run_as = {"root"};
  options.policy.owners["second"] = {};
  return options;
}

std::string SandboxTest::Run(const std::string& profile, const std::string& script, How how) {
  Batch batch(logs_.path(), 1, "run" + std::to_string(++runs_));
  auto request = batch.Request({"sh", "-c", script});
  request.profile = profile;
  request.workdir = how.workdir;
  request.user = how.user;
  const launch::SlotRecord record = RunToEnd(host_, batch, request);
  EXPECT_NE(record.cause, launch::EndCause::kSetupFailed)
      << profile << ": " << launch::StepText(record.step) << ": errno " << record.step_errno;
  return batch.File("1.out");
}

}  // namespace jobd::process_test
