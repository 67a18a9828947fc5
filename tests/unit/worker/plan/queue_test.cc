#include "worker/plan/queue.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <vector>

namespace jobd::worker {
namespace {

Queue::Batch Make(uint64_t id, const std::string& owner, uint32_t jobs, Priority priority = Priority::kNormal,
                  uint32_t parallel = 0, bool held = false) {
  return {.id = id, .owner = owner, .priority = priority, .job_count = jobs, .parallel = parallel, .held = held};
}

std::vector<uint64_t> Batches(Queue& queue, size_t count) {
  std::vector<uint64_t> order;
  for (size_t i = 0; i < count; ++i) {
    const auto pick = queue.Next();
    if (!pick) break;
    order.push_back(pick->batch);
  }
  return order;
}

TEST(QueueTest, EmptyGivesNothing) {
  Queue queue;
  EXPECT_FALSE(queue.Next());
  queue.Done(7);
  queue.Requeue(7, 1, false);
  EXPECT_FALSE(queue.Dequeue(7, 1));
  EXPECT_FALSE(queue.Next());
}

TEST(QueueTest, APickSaysWhetherAnythingHasBecomeOfTheJob) {
  Queue queue;
  queue.Add(Make(1, "a", 4));
  EXPECT_TRUE(queue.Dequeue(1, 2));  // ended, held or found in the store
  EXPECT_TRUE(queue.Next()->never_started);
  queue.Requeue(1, 1, true);
  queue.Requeue(1, 2, false);
  for (const uint32_t index : {1u, 2u, 3u, 4u}) {
    const auto pick = queue.Next();
    EXPECT_EQ(pick->index, index);
    EXPECT_EQ(pick->never_started, index > 2);
  }
}

TEST(QueueTest, UrgentOvertakesNormalOvertakesLow) {
  Queue queue;
  queue.Add(Make(1, "a", 1, Priority::kLow));
  queue.Add(Make(2, "a", 1));
  queue.Add(Make(3, "a", 1, Priority::kUrgent));
  EXPECT_EQ(Batches(queue, 9), (std::vector<uint64_t>{3, 2, 1}));
}

TEST(QueueTest, OwnersTakeTurns) {
  Queue queue;
  queue.Add(Make(1, "a", 1000));
  queue.Add(Make(2, "b", 3));
  EXPECT_EQ(Batches(queue, 8), (std::vector<uint64_t>{1, 2, 1, 2, 1, 2, 1, 1}));
}

TEST(QueueTest, ParallelBoundsABatchAndNotTheOthers) {
  Queue queue;
  queue.Add(Make(1, "a", 10, Priority::kNormal, 2));
  queue.Add(Make(2, "a", 2));
  EXPECT_EQ(Batches(queue, 9), (std::vector<uint64_t>{1, 1, 2, 2}));
  queue.Done(1);
  EXPECT_EQ(Batches(queue, 9), (std::vector<uint64_t>{1}));
}

TEST(QueueTest, MaxRunningBoundsAnOwner) {
  Queue queue;
  queue.SetMaxRunning("a", 1);
  queue.Add(Make(1, "a", 5));
  queue.Add(Make(2, "a", 5, Priority::kUrgent));
  queue.Add(Make(3, "b", 1));
  EXPECT_EQ(Batches(queue, 9), (std::vector<uint64_t>{2, 3}));
  queue.Done(2);
  EXPECT_EQ(Batches(queue, 9), (std::vector<uint64_t>{2}));
}

TEST(QueueTest, HeldBatchesWaitForRelease) {
  Queue queue;
  queue.Add(Make(1, "a", 3, Priority::kNormal, 0, true));
  EXPECT_FALSE(queue.Next());
  EXPECT_TRUE(queue.ReleaseJob(1, 2));
  EXPECT_EQ(queue.Next()->index, 2u);
  EXPECT_FALSE(queue.Next());
  queue.SetHeld(1, false);
  EXPECT_EQ(queue.Next()->index, 1u);
  EXPECT_EQ(queue.Next()->index, 3u);
  EXPECT_EQ(queue.queued(), 0u);
}

TEST(QueueTest, SinglyHeldTakenAndReturnedJobs) {
  Queue queue;
  queue.Add(Make(1, "a", 5));
  EXPECT_TRUE(queue.Dequeue(1, 2));
  EXPECT_FALSE(queue.Dequeue(1, 2));
  EXPECT_TRUE(queue.HoldJob(1, 3));
  EXPECT_FALSE(queue.HoldJob(1, 3));
  EXPECT_EQ(queue.queued(), 4u);
  EXPECT_EQ(queue.Next()->index, 1u);
  EXPECT_EQ(queue.Next()->index, 4u);
  queue.Requeue(1, 1, true);
  EXPECT_EQ(queue.Next()->index, 1u);
  EXPECT_EQ(queue.ExceptionsIn(1, true), std::vector<uint32_t>{3});
  EXPECT_TRUE(queue.IsJobHeld(1, 3));
  EXPECT_FALSE(queue.IsJobHeld(1, 5));
  EXPECT_TRUE(queue.ReleaseJob(1, 3));
  EXPECT_EQ(queue.Next()->index, 3u);
  EXPECT_EQ(queue.Next()->index, 5u);
  EXPECT_FALSE(queue.Next());
}

TEST(QueueTest, TakingAllAndGivingBackIsAsIfNothingHappened) {
  Queue queue;
  queue.Add(Make(1, "a", 6));
  queue.Dequeue(1, 4);
  queue.HoldJob(1, 5);
  queue.Next();
  queue.Requeue(1, 1, true);
  const auto waiting = queue.DequeueAll(1);
  EXPECT_EQ(waiting.count, 5u);
  EXPECT_EQ(queue.queued(), 0u);
  EXPECT_FALSE(queue.Next());
  queue.Restore(1, waiting);
  EXPECT_EQ(queue.queued(), 5u);
  std::vector<uint32_t> order;
  while (const auto pick = queue.Next()) order.push_back(pick->index);
  EXPECT_EQ(order, (std::vector<uint32_t>{1, 2, 3, 6}));
}

TEST(QueueTest, ReservationsCountAsQueued) {
  Queue queue;
  queue.Reserve("a", 10);
  EXPECT_EQ(queue.QueuedOf("a"), 10u);
  EXPECT_EQ(queue.queued(), 10u);
  queue.Reserve("a", -10);
  EXPECT_EQ(queue.QueuedOf("a"), 0u);
}

TEST(QueueTest, AMillionJobsOfOneBatchTakeNoMemory) {
  Queue queue;
  const auto before = ::mallinfo2().uordblks;
  queue.Add(Make(1, "a", 1'000'000));
  EXPECT_LT(::mallinfo2().uordblks - before, 4096u);
  for (uint32_t i = 1; i <= 1'000'000; ++i) ASSERT_EQ(queue.Next()->index, i);
}

TEST(QueueTest, AQueuedBatchTakesLessThanHalfAKibibyte) {
  Queue queue;
  const auto before = ::mallinfo2().uordblks;
  for (uint64_t id = 1; id <= 100'000; ++id) queue.Add(Make(id, "a", 1));
  EXPECT_LT((::mallinfo2().uordblks - before) / 100'000, 512u);
  for (uint64_t id = 1; id <= 100'000; ++id) ASSERT_EQ(queue.Next()->batch, id);
}

}  // namespace
}  // namespace jobd::worker
