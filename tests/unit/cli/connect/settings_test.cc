#include "cli/connect/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/connect/context_file.h"
#include "tests/support/temp_dir.h"

namespace jobd::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class SettingsTest : public testing::Test {
 protected:
  SettingsTest() { env_["HOME"] = home_; }

  Environment Env() const {
    return [this](const char* name) -> std::optional<std::string> {
      const auto found = env_.find(name);
      if (found == env_.end()) return std::nullopt;
      return found->second;
    };
  }
  void WriteConfig(const std::string& text) const {
    std::filesystem::create_directories(home_ + "/.config/jobctl");
    std::ofstream(home_ + "/.config/jobctl/config.toml") << text;
  }
  const test::TempDir temp_;
  const std::string home_ = temp_.path();
  std::map<std::string, std::string> env_;
};

TEST_F(SettingsTest, SaysAllThatIsMissing) {
  GlobalOptions options;
  EXPECT_EQ(ResolveConnection(options, Env()).error().message(),
            "jobctl needs a CA certificate (--ca or JOBCTL_CA), a client certificate (--cert or JOBCTL_CERT), "
            "a client key (--key or JOBCTL_KEY); `jobctl context add` keeps them (see its --help)");
  options.ca = "c";
  options.cert = "c";
  EXPECT_THAT(ResolveConnection(options, Env()).error().message(), StartsWith("jobctl needs a client key (--key or JOBCTL_KEY);"));
}

TEST_F(SettingsTest, MistakesInTheFileHaveALine) {
  const std::string file = home_ + "/.config/jobctl/config.toml";
  for (const auto& [text, what] :
       std::vector<std::pair<std::string, std::string>>{{"current = \"a\"\nx = 1\n", ":2: unknown key 'x'"},
                                                        {"[context.a]\nadress = \"b\"\n", "did you mean 'address'?"},
                                                        {"[context.a]\naddress = 3\n", ":2: address must be a text"},
                                                        {"current = \n", ":1: "}}) {
    WriteConfig(text);
    const auto loaded = LoadContexts({}, Env());
    ASSERT_FALSE(loaded.ok()) << text;
    EXPECT_THAT(loaded.error().message(), HasSubstr(file + ":")) << text;
    EXPECT_THAT(loaded.error().message(), HasSubstr(what)) << text;
  }
  GlobalOptions options;
  options.config_file = home_ + "/none.toml";
  EXPECT_FALSE(LoadContexts(options, Env()).ok()) << "a file that was named must be there";
}

TEST_F(SettingsTest, FlagThenEnvironmentThenContext) {
  WriteConfig(
      "current = \"a\"\n[context.a]\naddress = \"a:1\"\nca = \"ca.crt\"\ncert = \"~/c.crt\"\nkey = \"/k\"\n"
      "[context.b]\naddress = \"b:1\"\nca = \"/b\"\ncert = \"/b\"\nkey = \"/b\"\n");
  GlobalOptions options;
  EXPECT_EQ(ResolveConnection(options, Env())->address, "a:1");
  EXPECT_EQ(ResolveConnection(options, Env())->ca, home_ + "/.config/jobctl/ca.crt");
  EXPECT_EQ(ResolveConnection(options, Env())->cert, home_ + "/c.crt");
  options.context = "b";
  EXPECT_EQ(ResolveConnection(options, Env())->address, "b:1");
  env_["JOBCTL_ADDRESS"] = "env:1";
  EXPECT_EQ(ResolveConnection(options, Env())->address, "env:1");
  options.address = "flag:1";
  EXPECT_EQ(ResolveConnection(options, Env())->address, "flag:1");
  options.context = "none";
  EXPECT_EQ(ResolveConnection(options, Env()).error().code(), base::Code::kInvalidArgument);
}

TEST_F(SettingsTest, OutputFormat) {
  GlobalOptions options;
  EXPECT_EQ(*ResolveFormat(options, Env()), OutputFormat::kTable);
  env_["JOBCTL_OUTPUT"] = "wide";
  EXPECT_EQ(*ResolveFormat(options, Env()), OutputFormat::kWide);
  options.output = "name";
  EXPECT_EQ(*ResolveFormat(options, Env()), OutputFormat::kName);
  options.json = true;
  EXPECT_EQ(*ResolveFormat(options, Env()), OutputFormat::kJson);
  options = {};
  env_["JOBCTL_OUTPUT"] = "xml";
  EXPECT_FALSE(ResolveFormat(options, Env()).ok());
}

TEST(SplitAddressTest, HostAndPort) {
  for (const char* bad : {"", ":1", "a:", "a:x", "a:0", "a:65536", "[::1", "[::1]7"}) EXPECT_FALSE(SplitAddress(bad).ok()) << bad;
  EXPECT_EQ(*SplitAddress("a:1"), std::make_pair(std::string("a"), std::string("1")));
  EXPECT_EQ(*SplitAddress("[::1]:9"), std::make_pair(std::string("::1"), std::string("9")));
  EXPECT_EQ(*SplitAddress("::1"), std::make_pair(std::string("::1"), std::string("7443")));
  EXPECT_EQ(*SplitAddress("host"), std::make_pair(std::string("host"), std::string("7443")));
}

TEST(SplitAddressTest, FaultC25UnderstoodOrRefusedAtOnce) {
  const auto parts = [](const char* host, const char* port) { return std::make_pair(std::string(host), std::string(port)); };
  EXPECT_EQ(*SplitAddress("https://h:1"), parts("h", "1"));
  EXPECT_EQ(*SplitAddress("https://h:1/"), parts("h", "1"));
  EXPECT_EQ(*SplitAddress("https://[::1]:1"), parts("::1", "1"));
  EXPECT_EQ(*SplitAddress(" h:1"), parts("h", "1"));
  EXPECT_EQ(*SplitAddress("h:1\n"), parts("h", "1"));
  EXPECT_EQ(*SplitAddress("2001:db8::5"), parts("2001:db8::5", "7443"));
  for (const char* bad :
       {"http://h:1", "grpc://h:1", "h h:1", "h/x:1", "user@h:1", "h:1:2", "[h]:1", "https://", " ", "\033[2J:1"}) {
    const auto split = SplitAddress(bad);
    ASSERT_FALSE(split.ok()) << bad;
    EXPECT_THAT(split.error().message(), HasSubstr("is not an address: ")) << bad;
  }
  EXPECT_THAT(SplitAddress("::1:7443").error().message(), HasSubstr("write [::1]:7443"));
  EXPECT_THAT(SplitAddress("fe80::1:7443").error().message(), HasSubstr("write [fe80::1]:7443"));
}

TEST(SettingsTextTest, FaultC25MessagesNameThePortThatIsUsed) {
  EXPECT_EQ(WithPort("127.0.0.1"), "127.0.0.1:7443");
  EXPECT_EQ(WithPort("https://127.0.0.1/"), "127.0.0.1:7443");
  EXPECT_EQ(WithPort(" host:1 "), "host:1");
  EXPECT_EQ(WithPort("::1"), "[::1]:7443");
  EXPECT_EQ(WithPort("[::1]:8"), "[::1]:8");
  EXPECT_EQ(WithPort("a:b:c"), "a:b:c") << "no address";
}

}  // namespace
}  // namespace jobd::cli
