#include "worker/plan/not_before.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace jobd::worker {
namespace {

TEST(NotBeforeTest, NothingWaitsForNothing) {
  NotBefore<int> waiting;
  EXPECT_FALSE(waiting.Next());
  EXPECT_TRUE(waiting.TakeDue(1'000'000).empty());
}

TEST(NotBeforeTest, WhatIsDueComesInTheOrderOfTimesThenOfArrival) {
  NotBefore<std::string> waiting;
  waiting.Add(30, "d");
  waiting.Add(10, "a");
  waiting.Add(20, "b");
  waiting.Add(20, "c");
  EXPECT_EQ(waiting.Next(), 10);
  EXPECT_TRUE(waiting.TakeDue(9).empty());
  EXPECT_EQ(waiting.TakeDue(20), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(waiting.Next(), 30);
  EXPECT_EQ(waiting.TakeDue(1000), std::vector<std::string>{"d"});
  EXPECT_FALSE(waiting.Next());
}

TEST(NotBeforeTest, AnEarlierOneThatComesLaterIsNext) {
  NotBefore<int> waiting;
  for (int i = 100; i > 0; --i) waiting.Add(i, i);
  EXPECT_EQ(waiting.Next(), 1);
  EXPECT_EQ(waiting.size(), 100u);
  EXPECT_EQ(waiting.TakeDue(50).size(), 50u);
  waiting.Add(3, 3);
  EXPECT_EQ(waiting.Next(), 3);
}

}  // namespace
}  // namespace jobd::worker
