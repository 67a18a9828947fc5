// docs/jobd.example.toml is what people copy: it must name every setting, with its help and its default, and be right.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "config/config.h"
#include "config/setting.h"

namespace jobd::config {
namespace {

// What has no default that would do.
const std::set<std::string> kGiven = {"tls.ca", "tls.cert", "tls.key", "users.file"};

std::string Example() {
  std::ifstream file(JOBD_EXAMPLE);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A commented setting begins with # and no blank; words do with # and a blank.
std::string Uncommented(const std::string& example) {
  std::string text;
  std::istringstream lines(example);
  for (std::string line; std::getline(lines, line);) {
    const bool setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    text += (setting ? line.substr(1) : line) + "\n";
  }
  return text;
}

TEST(ExampleConfiguration, IsCompleteAsItIs) {
  const auto loaded = Load("/etc/jobd/jobd.toml", Example(), {});
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  EXPECT_EQ(loaded->config.tls_key, "/etc/jobd/certs/server.key");
  EXPECT_EQ(loaded->config.users_file, "/etc/jobd/certs/users.toml");
  for (const SettingValue& setting : loaded->settings) {
    EXPECT_EQ(setting.origin, kGiven.contains(setting.key) ? Origin::kFile : Origin::kDefault) << setting.key;
  }
}

TEST(ExampleConfiguration, NamesEverySettingWithItsDefault) {
  const auto as_is = Load("/etc/jobd/jobd.toml", Example(), {});
  const auto all = Load("/etc/jobd/jobd.toml", Uncommented(Example()), {});
  ASSERT_TRUE(as_is.ok()) << as_is.error().message();
  ASSERT_TRUE(all.ok()) << all.error().message();
  for (size_t i = 0; i < all->settings.size(); ++i) {
    EXPECT_EQ(all->settings[i].origin, Origin::kFile) << all->settings[i].key << " is not in docs/jobd.example.toml";
    EXPECT_EQ(all->settings[i].value, as_is->settings[i].value) << all->settings[i].key << " does not show its default";
  }
}

TEST(ExampleConfiguration, SaysOfEachSettingWhatItsHelpSays) {
  const std::string example = Example();
  size_t from = 0;
  for (const Setting& setting : Settings()) {
    const std::string key(setting.key.substr(setting.key.find('.') + 1));
    const std::string help = "# " + std::string(setting.help) + (setting.reloadable ? "" : " (at start)") + "\n";
    const std::string line = help + (kGiven.contains(std::string(setting.key)) ? "" : "#") + key + " = ";
    const size_t at = example.find(line, from);
    ASSERT_NE(at, std::string::npos) << "docs/jobd.example.toml lacks, or has in another order than the table of settings:\n"
                                     << line;
    from = at + line.size();
  }
}

}  // namespace
}  // namespace jobd::config
