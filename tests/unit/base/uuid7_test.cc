#include "base/uuid7.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace jobd::base {
namespace {

TEST(Uuid7Test, OrderedByTimeAndWellFormed) {
  const std::string first = MakeUuid7(1'700'000'000ll * kNanosPerSecond);
  const std::string second = MakeUuid7(1'700'000'001ll * kNanosPerSecond);
  EXPECT_EQ(first.size(), 36u);
  EXPECT_EQ(first[14], '7');
  EXPECT_LT(first, second);
}

}  // namespace
}  // namespace jobd::base
