// How many jobs come before one: compared with what the queue then does.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>

#include "worker/plan/queue.h"

namespace jobd::worker {
namespace {

Queue::Batch Make(uint64_t id, const std::string& owner, uint32_t jobs, Priority priority = Priority::kNormal) {
  return {.id = id, .owner = owner, .priority = priority, .job_count = jobs};
}

TEST(QueuePlaceTest, ABatchThatIsNotThere) {
  const Queue queue;
  EXPECT_FALSE(queue.PlaceOf(7, {1, 2}).jobs[1].queued);
}

TEST(QueuePlaceTest, WithinTheBatchByIndexAndWhatIsQueuedAgainFirst) {
  Queue queue;
  queue.Add(Make(1, "a", 6));
  ASSERT_TRUE(queue.Next());         // 1 runs
  ASSERT_TRUE(queue.Dequeue(1, 4));  // cancelled
  ASSERT_TRUE(queue.HoldJob(1, 5));
  queue.Next();               // 2 runs,
  queue.Requeue(1, 2, true);  // and waits again
  const auto place = queue.PlaceOf(1, {1, 2, 3, 4, 5, 6});
  EXPECT_FALSE(place.jobs[0].queued);
  EXPECT_EQ(place.jobs[1].before, 0u);
  EXPECT_EQ(place.jobs[2].before, 1u);
  EXPECT_FALSE(place.jobs[3].queued);
  EXPECT_TRUE(place.jobs[4].queued && place.jobs[4].held);
  EXPECT_EQ(place.jobs[4].before, 0u);
  EXPECT_EQ(place.jobs[5].before, 2u);
  EXPECT_EQ(place.running, 1u);
}

TEST(QueuePlaceTest, BoundsAreToldAsTheyAre) {
  Queue queue;
  queue.SetMaxRunning("a", 3);
  Queue::Batch batch = Make(1, "a", 5);
  batch.parallel = 1;
  queue.Add(batch);
  ASSERT_TRUE(queue.Next());
  const auto place = queue.PlaceOf(1, {2});
  EXPECT_EQ(place.parallel, 1u);
  EXPECT_EQ(place.running, 1u);
  EXPECT_EQ(place.max_running, 3u);
  EXPECT_EQ(place.owner_running, 1u);
}

// Cancelled singly, or waiting again after a reboot: as many stand out as there are jobs.
TEST(QueuePlaceTest, WhatIsLookedAtIsBoundedHoweverManyStandOut) {
  constexpr uint32_t kJobs = 200'000;
  Queue queue;
  queue.Add(Make(1, "a", kJobs));
  for (uint32_t index = 1; index <= kJobs; index += 2) ASSERT_TRUE(queue.Dequeue(1, index));
  const auto skipped = queue.PlaceOf(1, {2, 100, 101, 100'000, kJobs});
  EXPECT_LE(skipped.steps, Queue::kMaxPlaceSteps);
  EXPECT_EQ(skipped.jobs[0].before, 0u);
  EXPECT_TRUE(skipped.jobs[1].exact);
  EXPECT_EQ(skipped.jobs[1].before, 49u);
  EXPECT_FALSE(skipped.jobs[2].queued);
  EXPECT_TRUE(skipped.jobs[4].queued);
  EXPECT_FALSE(skipped.jobs[4].exact);
  EXPECT_LT(skipped.jobs[4].before, kJobs / 2 - 1) << "at least";
  EXPECT_GT(skipped.jobs[4].before, 0u);

  queue.AddEmpty(Make(2, "b", kJobs));
  for (uint32_t index = 1; index <= kJobs / 2; ++index) queue.Requeue(2, index, false);
  const auto ready = queue.PlaceOf(2, {3, 50, kJobs / 2, kJobs / 2 + 1});
  EXPECT_LE(ready.steps, Queue::kMaxPlaceSteps);
  EXPECT_TRUE(ready.jobs[1].exact);
  EXPECT_TRUE(ready.jobs[2].queued);
  EXPECT_FALSE(ready.jobs[2].exact);
  EXPECT_GE(ready.jobs[2].before, Queue::kMaxPlaceSteps);
  EXPECT_FALSE(ready.jobs[3].queued);
}

// Owners, classes, holds and requeues at random: the count is what then comes, one after the other.
TEST(QueuePlaceTest, FaultC1TheCountIsWhatThenComes) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&random](uint32_t bound) { return static_cast<uint32_t>(random() % bound); };
    Queue queue;
    std::map<uint64_t, uint32_t> sizes;
    for (uint64_t id = 1; id <= 8; ++id) {
      const Priority priority = below(4) == 0 ? Priority::kUrgent : below(3) == 0 ? Priority::kLow : Priority::kNormal;
      sizes[id] = 1 + below(5);
      queue.Add(Make(id, std::string(1, static_cast<char>('a' + below(3))), sizes[id], priority));
      if (below(6) == 0) queue.SetHeld(id, true);
      if (below(4) == 0) queue.HoldJob(id, 1 + below(sizes[id]));
    }
    for (uint32_t i = below(10); i > 0; --i) {
      const auto pick = queue.Next();
      if (pick && below(2) == 0) queue.Requeue(pick->batch, pick->index, true);
    }
    std::map<std::pair<uint64_t, uint32_t>, uint64_t> told;
    for (const auto& [id, size] : sizes) {
      for (uint32_t index = 1; index <= size; ++index) {
        const auto place = queue.PlaceOf(id, {index});
        if (place.jobs[0].queued && !place.jobs[0].held) told[{id, index}] = place.jobs[0].before;
        ASSERT_TRUE(place.jobs[0].exact);
      }
    }
    uint64_t came = 0;
    for (auto pick = queue.Next(); pick; pick = queue.Next(), ++came) {
      ASSERT_EQ((told[{pick->batch, pick->index}]), came) << "seed " << seed << " job " << pick->batch << "/" << pick->index;
    }
    EXPECT_EQ(told.size(), came) << "seed " << seed;
  }
}

}  // namespace
}  // namespace jobd::worker
