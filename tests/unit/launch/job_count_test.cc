#include "launch/launcher/job_count.h"

#include <gtest/gtest.h>

#include "launch/launcher/line_limit.h"

namespace jobd::launch {
namespace {

using Time = JobCount::Time;

Policy PolicyOf(uint32_t all, uint32_t of_ann = 0) {
  Policy policy;
  policy.max_running = all;
  policy.owners["ann"].max_running = of_ann;
  policy.owners["bob"] = {};
  return policy;
}

// Adds jobs until the bound; how many there are then.
size_t Fill(JobCount& count, const std::string& owner, Time now, size_t at_most = 10'000) {
  size_t added = 0;
  for (; added < at_most && !count.Exceeds(owner, now); ++added) count.Add(owner);
  return added;
}

TEST(JobCountTest, FaultG10ThereAreNoMoreThanTwiceWhatMayRunAndSome) {
  JobCount count(PolicyOf(8));
  EXPECT_EQ(Fill(count, "ann", Time{}), 2 * 8 + JobCount::kOverlap);
  EXPECT_EQ(count.Exceeds("bob", Time{}), "limits.max_running = 8");
  count.Remove("ann");
  EXPECT_FALSE(count.Exceeds("bob", Time{}));
}

TEST(JobCountTest, FaultG10AnOwnersBoundIsTheirsAlone) {
  JobCount count(PolicyOf(100, 3));
  EXPECT_EQ(Fill(count, "ann", Time{}), 2 * 3 + JobCount::kOwnersOverlap);
  EXPECT_EQ(count.Exceeds("ann", Time{}), "max_running = 3 of ann");
  EXPECT_EQ(Fill(count, "bob", Time{}), 2 * 100 + JobCount::kOverlap - (2 * 3 + JobCount::kOwnersOverlap));
}

TEST(JobCountTest, WithoutABoundThereIsNone) {
  JobCount count(PolicyOf(0));
  EXPECT_EQ(Fill(count, "ann", Time{}, 1000), 1000u);
  count.Remove("nobody");
  EXPECT_EQ(Fill(count, "ann", Time{}, 1000), 1000u);
}

// The server goes on by the old policy until it has heard of the new one.
TEST(JobCountTest, FaultG10WhatAReloadLowersHoldsOnForAWhile) {
  JobCount count(PolicyOf(100, 50));
  const Time reload = Time{} + std::chrono::hours(1);
  count.SetPolicy(PolicyOf(1, 1), reload);
  EXPECT_EQ(Fill(count, "ann", reload), 2 * 50 + JobCount::kOwnersOverlap);
  EXPECT_EQ(Fill(count, "bob", reload), 2 * 100 + JobCount::kOverlap - (2 * 50 + JobCount::kOwnersOverlap));
  // Another one does not make it shorter, nor does it forget the first.
  const Time again = reload + std::chrono::seconds(1);
  count.SetPolicy(PolicyOf(2, 2), again);
  count.Remove("bob");
  EXPECT_FALSE(count.Exceeds("bob", again));
  // What lives beyond the bound by then lives on, and nothing is added.
  const Time later = again + JobCount::kBothHold;
  EXPECT_EQ(count.Exceeds("bob", later), "limits.max_running = 2");
}

TEST(JobCountTest, WhatAReloadRaisesHoldsAtOnce) {
  JobCount count(PolicyOf(1, 1));
  count.SetPolicy(PolicyOf(100), Time{} + std::chrono::hours(1));
  EXPECT_EQ(Fill(count, "ann", Time{} + std::chrono::hours(1)), 2 * 100 + JobCount::kOverlap);
}

TEST(LineLimitTest, WhatIsLeftOutIsCounted) {
  LineLimit limit(2);
  const LineLimit::Time begin{std::chrono::hours(1)};
  EXPECT_EQ(limit.Pass("a", begin), "a");
  EXPECT_EQ(limit.Pass("b", begin), "b");
  EXPECT_EQ(limit.Pass("c", begin), std::nullopt);
  EXPECT_EQ(limit.Pass("d", begin + std::chrono::seconds(59)), std::nullopt);
  EXPECT_EQ(limit.Pass("e", begin + LineLimit::kSpan), "e (and 2 more like this before it)");
  EXPECT_EQ(limit.Pass("f", begin + LineLimit::kSpan), "f");
}

}  // namespace
}  // namespace jobd::launch
