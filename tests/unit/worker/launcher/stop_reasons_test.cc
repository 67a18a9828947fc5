#include "worker/launcher/local/stop_reasons.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/launcher/local_launcher_fixture.h"
#include "worker/model/outcome.h"

namespace jobd::worker::local_test {
namespace {

TEST(StopReasonsTest, FaultF4WhatIsWrittenIsReadAndTheFirstCounts) {
  const Reason bob = CancelledByUser("bob", "two\nlines 7 7\nstop 1 2 3");
  const Reason eve = CancelledByUser("eve", "");
  const std::string text = EncodeStops({Key(1), Key(700)}, bob) + EncodeStops({Key(1), Key(2)}, eve);
  const Stops stops = DecodeStops(text);
  ASSERT_EQ(stops.size(), 3u);
  EXPECT_EQ(stops.at({1, 1}), bob);
  EXPECT_EQ(stops.at({700, 1}), bob);
  EXPECT_EQ(stops.at({2, 1}), eve);
}

TEST(StopReasonsTest, FaultF4WhatIsCutOffOrDamagedIsLeftOut) {
  const std::string one = EncodeStops({Key(1)}, CancelledByStop("bob"));
  const std::string two = one + EncodeStops({Key(2)}, FailFast(1));
  EXPECT_EQ(DecodeStops(two).size(), 2u);
  for (size_t size = 0; size < two.size(); ++size) {
    EXPECT_EQ(DecodeStops(two.substr(0, size)).size(), size < one.size() ? 0u : 1u) << size;
  }
  EXPECT_TRUE(DecodeStops("stop 1 1 1 7 4294967295 0 0\nx\n").empty());
  EXPECT_TRUE(DecodeStops("stop 1 1 1 1 0 0 0\n\n").empty()) << "an exit is no reason to stop";
  EXPECT_TRUE(DecodeStops("stop 2 1 1 7 0 0 0\n\n").empty());
}

TEST_F(LocalLauncherTest, FaultF4AReasonThatWasKeptIsFoundByTheNext) {
  Begin();
  Start(1);
  const BatchPlace place = Place();
  EXPECT_FALSE(launcher_->KeptReason(place, Key(1)).has_value());
  launcher_->KeepReason(place, {Key(1), Key(2)}, CancelledByUser("bob", "why"));
  (void)AllTold();
  Restart();
  ASSERT_TRUE(launcher_->KeptReason(place, Key(1)).has_value());
  EXPECT_EQ(launcher_->KeptReason(place, Key(2))->detail, "why");
  launch::JobKey later = Key(1);
  later.attempt = 2;
  EXPECT_FALSE(launcher_->KeptReason(place, later).has_value());
}

}  // namespace
}  // namespace jobd::worker::local_test
