#include "worker/run/log_disk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "tests/support/await.h"

namespace jobd::worker {
namespace {

class TestClock final : public base::Clock {
 public:
  base::Nanos Realtime() const override { return now; }
  base::Nanos Monotonic() const override { return now; }
  std::atomic<base::Nanos> now = 100 * base::kNanosPerSecond;
};

TEST(LogDiskTest, WhatHasNotBegunDoesNotCount) {
  TestClock clock;
  LogDisk disk(clock);
  const auto waits = disk.Tracked([&] { EXPECT_FALSE(disk.Hangs()) << "it has just begun"; });
  clock.now += 10 * LogDisk::kHangsAfter;
  EXPECT_FALSE(disk.Hangs()) << "somebody else keeps it waiting";
  waits();
  disk.Tracked([&] {
    clock.now += LogDisk::kHangsAfter;
    EXPECT_EQ(disk.HangsFor(), LogDisk::kHangsAfter);
  })();
  EXPECT_FALSE(disk.Hangs());
}

TEST(LogDiskTest, ManyThatAreDoneOneAfterTheOtherDoNotHang) {
  TestClock clock;
  std::promise<void> last;
  LogDisk disk(clock);
  ASSERT_TRUE(disk.Start().ok());
  for (int i = 0; i < 10; ++i) {
    disk.Do([&] {
      clock.now += LogDisk::kHangsAfter / 2;
      EXPECT_FALSE(disk.Hangs());
    });
  }
  disk.Do([&] { last.set_value(); });
  test::WaitFor(last.get_future());
}

TEST(LogDiskTest, NothingIsAskedBehindWhatWaitsOrIsUnderWay) {
  TestClock clock;
  std::atomic<int> probes = 0;
  std::promise<void> hangs, goes_on, done;
  LogDisk disk(clock);
  disk.Do([&] {
    hangs.set_value();
    test::WaitFor(goes_on.get_future());
  });
  disk.Probe([&] { ++probes; });  // it waits: the thread is not there yet
  ASSERT_TRUE(disk.Start().ok());
  test::WaitFor(hangs.get_future());
  disk.Probe([&] { ++probes; });
  goes_on.set_value();
  disk.Do([&] { done.set_value(); });
  test::WaitFor(done.get_future());
  EXPECT_EQ(probes, 0);
}

TEST(LogDiskTest, AProbeIsDoneOnceASecond) {
  TestClock clock;
  std::promise<void> first;
  std::atomic<bool> done = false;
  LogDisk disk(clock);
  ASSERT_TRUE(disk.Start().ok());
  disk.Probe([&] { first.set_value(); });
  test::WaitFor(first.get_future());
  disk.Probe([] { ADD_FAILURE() << "it was done just before"; });
  clock.now += 2 * base::kNanosPerSecond;
  // As soon as nothing is under way.
  while (!done) {
    clock.now += 2 * base::kNanosPerSecond;
    disk.Probe([&] { done = true; });
    std::this_thread::yield();
  }
  disk.Stop();
}

TEST(LogDiskTest, WhatWaitsAtTheEndIsDropped) {
  LogDisk disk;
  disk.Do([] { ADD_FAILURE(); });
  disk.Stop();
  EXPECT_TRUE(disk.Start().ok()) << "and nothing is started behind it";
  disk.Do([] { ADD_FAILURE(); });
}

}  // namespace
}  // namespace jobd::worker
