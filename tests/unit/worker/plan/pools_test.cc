#include "worker/plan/pools.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace jobd::worker {
namespace {

TEST(PoolsTest, ASlotGoesBackWhenItsTokenEnds) {
  Pools pools;
  EXPECT_FALSE(pools.Take("gpu")) << "there is no such pool";
  pools.Resize("gpu", 2);
  {
    const Slot one = pools.Take("gpu");
    const Slot two = pools.Take("gpu");
    EXPECT_TRUE(one && two);
    EXPECT_FALSE(pools.Take("gpu"));
    EXPECT_EQ(pools.used("gpu"), 2u);
  }
  EXPECT_EQ(pools.used("gpu"), 0u);
}

TEST(PoolsTest, ATokenMovesWithoutTakingOrGivingBack) {
  Pools pools;
  pools.Resize("a", 1);
  pools.Resize("b", 1);
  Slot slot = pools.Take("a");
  Slot moved = std::move(slot);
  EXPECT_TRUE(moved);
  EXPECT_EQ(pools.used("a"), 1u);
  // Over one that is taken, which goes back.
  moved = pools.Take("b");
  EXPECT_EQ(pools.used("a"), 0u);
  EXPECT_EQ(pools.used("b"), 1u);
  moved = Slot();
  EXPECT_EQ(pools.used("b"), 0u);
}

TEST(PoolsTest, APoolThatShrinksKeepsWhatIsTaken) {
  Pools pools;
  pools.Resize("a", 3);
  std::vector<Slot> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(pools.Take("a"));
  pools.Resize("a", 1);
  EXPECT_EQ(pools.used("a"), 3u);
  taken.pop_back();
  taken.pop_back();
  EXPECT_FALSE(pools.Take("a"));
  taken.pop_back();
  EXPECT_TRUE(pools.Take("a"));
}

TEST(PoolsTest, WhatRunsAlreadyCountsBeyondTheLastSlot) {
  Pools pools;
  pools.Resize("a", 1);
  const Slot one = pools.TakeBeyond("a");
  const Slot two = pools.TakeBeyond("a");
  EXPECT_EQ(pools.used("a"), 2u);
  EXPECT_FALSE(pools.Take("a"));
}

}  // namespace
}  // namespace jobd::worker
