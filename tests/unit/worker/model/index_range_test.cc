#include "worker/model/index_range.h"

#include <gtest/gtest.h>

namespace jobd::worker {
namespace {

TEST(IndexRangeTest, WhatIsNextToEachOtherIsOneRange) {
  EXPECT_TRUE(RangesOf({}).empty());
  EXPECT_EQ(RangesOf({7}), (std::vector<IndexRange>{{7, 7}}));
  EXPECT_EQ(RangesOf({1, 2, 3}), (std::vector<IndexRange>{{1, 3}}));
  EXPECT_EQ(RangesOf({1, 3, 4, 9}), (std::vector<IndexRange>{{1, 1}, {3, 4}, {9, 9}}));
  EXPECT_EQ(RangesOf({4294967294u, 4294967295u}), (std::vector<IndexRange>{{4294967294u, 4294967295u}}));
}

}  // namespace
}  // namespace jobd::worker
