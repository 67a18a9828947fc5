// Who is read from at once, and who has to wait.
#include "server/grpc/connections/read_pace.h"

#include <gtest/gtest.h>

namespace jobd::server {
namespace {

constexpr base::Nanos kMs = base::kNanosPerMilli;

TEST(ReadPace, WhoTakesLittleNeverWaits) {
  ReadPace pace;
  for (base::Nanos now = kMs; now < 10'000 * kMs; now += 4 * kMs) {
    pace.OnTaken(kMs);
    ASSERT_EQ(pace.Wait(now, 0), 0) << now;
  }
}

TEST(ReadPace, WhoTakesAllHasHalf) {
  ReadPace pace;
  base::Nanos now = 1000 * kMs;
  base::Nanos took = 0;
  while (now < 11'000 * kMs) {
    pace.OnTaken(kMs);
    took += kMs;
    now += kMs;
    now += pace.Wait(now, 0);
  }
  EXPECT_LT(took, 5'500 * kMs);
  EXPECT_GT(took, 4'000 * kMs);
}

TEST(ReadPace, FaultD2ManyWhoTakeAllHaveHalfTogether) {
  constexpr uint32_t kMany = 16;
  base::Nanos took = 0;
  for (uint32_t i = 0; i < kMany; ++i) {
    ReadPace pace;
    base::Nanos now = 1000 * kMs;
    while (now < 11'000 * kMs) {
      pace.OnTaken(kMs);
      took += kMs;
      now += kMs;
      now += pace.Wait(now, kMany - 1);
    }
  }
  EXPECT_LT(took, 6'000 * kMs);
}

TEST(ReadPace, NobodyWaitsForLong) {
  ReadPace pace;
  pace.OnTaken(60'000 * kMs);
  EXPECT_EQ(pace.Wait(kMs, 1000), ReadPace::kLongest);
}

}  // namespace
}  // namespace jobd::server
