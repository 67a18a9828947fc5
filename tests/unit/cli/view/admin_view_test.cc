#include "cli/view/admin_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/units.h"
#include "cli/view/proto_time.h"

namespace jobd::cli {
namespace {

// A rule of 3630 s read as "1h", and so did one that had been changed to it.
TEST(AdminViewTest, FaultC20ARuleIsShownInFull) {
  for (const auto& [seconds, text] : std::vector<std::pair<double, std::string>>{
           {3630, "1h30s"}, {90.5, "1m30.5s"}, {86400 * 7 + 1, "7d1s"}, {0.25, "250ms"}, {3600, "1h"}}) {
    const auto age = static_cast<base::Nanos>(seconds * 1e9);
    v1::GetStatusResponse status;
    *status.mutable_kept()->mutable_rule()->mutable_max_age() = ToDuration(age);
    EXPECT_THAT(ServiceStatusText(status, 0, false), testing::HasSubstr("kept: for " + text + "\n"));
    EXPECT_EQ(*base::ParseDuration(text), age);
  }
}

TEST(AdminViewTest, FaultC2TheConfigFitsTheTerminal) {
  v1::GetConfigResponse config;
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"profiles.standard.env", "{PATH=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\", LANG=\"C.UTF-8\"}"},
           {"limits.max_running", "8"}}) {
    auto* const setting = config.add_settings();
    setting->set_key(key);
    setting->set_value(value);
    setting->set_origin("/etc/jobd/jobd.toml:12");
  }
  const std::string text = ConfigTable(config).ToString(false, 80);
  for (size_t begin = 0; begin < text.size(); begin = text.find('\n', begin) + 1)
    EXPECT_LE(DisplayWidth(text.substr(begin, text.find('\n', begin) - begin)), 80u) << text;
  EXPECT_THAT(text, testing::HasSubstr("profiles.standard.env  "));
}

}  // namespace
}  // namespace jobd::cli
