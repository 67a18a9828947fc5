#include "base/guarded.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

namespace jobd::base {
namespace {

TEST(GuardedTest, ThreadsTakeTurns) {
  Guarded<int> number(0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10'000; ++n) ++*number.Lock();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(*number.Lock(), 40'000);
}

TEST(GuardedTest, WaitLetsOthersIn) {
  Guarded<std::vector<int>> list;
  std::condition_variable changed;
  std::thread other([&] {
    list.Lock()->push_back(7);
    changed.notify_one();
  });
  {
    auto locked = list.Lock();
    locked.Wait(changed, [&] { return !locked->empty(); });
    EXPECT_EQ(locked->front(), 7);
  }
  other.join();
}

TEST(GuardedTest, WaitForEndsWithoutBeingReady) {
  Guarded<int> number(1);
  std::condition_variable never;
  auto locked = number.Lock();
  EXPECT_FALSE(locked.WaitFor(never, std::chrono::milliseconds(1), [] { return false; }));
  EXPECT_TRUE(locked.WaitFor(never, std::chrono::milliseconds(1), [&] { return *locked == 1; }));
}

TEST(GuardedTest, AConstantOneIsReadOnly) {
  const Guarded<std::vector<int>> list(std::vector<int>{1, 2});
  static_assert(std::is_same_v<decltype(*list.Lock()), const std::vector<int>&>);
  EXPECT_EQ(list.Lock()->size(), 2u);
}

}  // namespace
}  // namespace jobd::base
