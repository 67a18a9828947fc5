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

}  // namespace
}  // namespace jobd::cli
