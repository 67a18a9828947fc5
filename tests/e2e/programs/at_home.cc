#include "tests/e2e/programs/at_home.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/support/require.h"

namespace jobd::e2e {

namespace {

namespace fs = std::filesystem;

constexpr uid_t kUidWithoutAccount = 54321;

// One of a suite's daemons: [0] is of whoever runs the tests, [1] of an ordinary user.
std::array<std::unique_ptr<Daemon>, 2>& Daemons() {
  static std::array<std::unique_ptr<Daemon>, 2> daemons;
  return daemons;
}

std::unique_ptr<Daemon> MakeDaemon(bool ordinary) {
  DaemonOptions options;
  options.config = "[limits]\nmax_running = 4\n";
  auto daemon = std::make_unique<Daemon>(options);
  if (ordinary) daemon->BelongTo(kUidWithoutAccount);
  EXPECT_TRUE(daemon->Start()) << daemon->log();
  return daemon;
}

}  // namespace

void AtHome::TearDownTestSuite() {
  for (auto& daemon : Daemons()) daemon.reset();
}

void AtHome::SetUp() {
  // Started by an ordinary user, the tests have that one alone.
  JOBD_REQUIRE(!GetParam().ordinary || ::geteuid() == 0, "needs root to start jobd as somebody else");
  auto& daemon = Daemons()[GetParam().ordinary ? 1 : 0];
  if (daemon == nullptr) daemon = MakeDaemon(GetParam().ordinary);
  daemon_ = daemon.get();
  ASSERT_TRUE(daemon_->running());
  const testing::TestInfo* const test = testing::UnitTest::GetInstance()->current_test_info();
  workdir_ = daemon_->ShareDir() + "/" + test->name();
  for (char& c : workdir_) c = c == '/' && &c > &workdir_[daemon_->ShareDir().size()] ? '-' : c;
  ASSERT_EQ(::mkdir(workdir_.c_str(), 0777), 0);
  ASSERT_EQ(::chmod(workdir_.c_str(), 0777), 0);
}

std::vector<std::string> AtHome::Run(const std::string& script, std::vector<std::string> options) const {
  std::vector<std::string> args{"run", "--profile", GetParam().profile, "--workdir", workdir_, "--timeout", "10m"};
  args.insert(args.end(), options.begin(), options.end());
  args.insert(args.end(), {"--", "sh", "-c", script});
  return args;
}

Output AtHome::Job(const std::string& script, std::vector<std::string> options) const {
  return daemon_->Do(Run(script, std::move(options)), "operator", "", Seconds(300));
}

std::string AtHome::Said(const std::string& script, std::vector<std::string> options) const {
  const Output output = Job(script, std::move(options));
  EXPECT_EQ(output.code(), 0) << script << "\n" << output.out << output.err;
  return output.out + output.err;
}

std::string AtHome::Begin(const std::string& script) const { return daemon_->Ok(Run(script, {"-d"})); }

bool AtHome::HasMemoryLimit() const {
  const auto status = nlohmann::json::parse(daemon_->Ok({"admin", "status", "--json"}, "admin"));
  for (const auto& part : status.at("isolation")) {
    if (part.at("name") == "memory limit") return part.at("available");
  }
  ADD_FAILURE() << "jobd does not say whether it has memory limits: " << status;
  return false;
}

void AtHome::ExpectMemoryLimitRefused() const {
  const Output output = Job("echo ran", {"--memory", "64M"});
  EXPECT_NE(output.code(), 0);
  EXPECT_EQ(output.out, "");
  EXPECT_NE(output.err.find("cannot be enforced on this machine"), std::string::npos) << output.err;
}

}  // namespace jobd::e2e
