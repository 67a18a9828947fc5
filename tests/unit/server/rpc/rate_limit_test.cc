#include "server/rpc/rate_limit.h"

#include <gtest/gtest.h>

#include <string>

namespace jobd::server {
namespace {

class HandClock final : public base::Clock {
 public:
  base::Nanos Realtime() const override { return now; }
  base::Nanos Monotonic() const override { return now; }
  base::Nanos now = base::kNanosPerSecond;
};

TEST(NamedRateLimit, FaultC18OneAddressDoesNotHideTheOthers) {
  HandClock clock;
  NamedRateLimit limit(2, 5, clock);
  EXPECT_EQ(limit.Allow("a"), 0u);
  EXPECT_EQ(limit.Allow("a"), 0u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(limit.Allow("a"), std::nullopt);
  EXPECT_EQ(limit.Allow("b"), 0u);
  clock.now += base::kNanosPerSecond;
  EXPECT_EQ(limit.Allow("a"), 1000u) << "what was left out is said";
  EXPECT_EQ(limit.Allow("a"), 0u);
}

TEST(NamedRateLimit, AllTogetherAreBoundedAndSoIsWhatIsRemembered) {
  HandClock clock;
  NamedRateLimit limit(2, 5, clock);
  int allowed = 0;
  for (int i = 0; i < 5'000; ++i) allowed += limit.Allow("address " + std::to_string(i)).has_value() ? 1 : 0;
  EXPECT_EQ(allowed, 5);
  clock.now += 61 * base::kNanosPerSecond;
  EXPECT_EQ(limit.Allow("another"), 0u) << "who was silent for long is forgotten";
}

}  // namespace
}  // namespace jobd::server
