// One waiter, and what changes under it.
#include "worker/watch/waker.h"
#include "tests/support/await.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace jobd::worker {
namespace {

TEST(WakerTest, OneThreadCallsAtATimeAndNothingIsMissed) {
  Waker waker;
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> second = false;
  waker.Arm([&] {
    entered.set_value();
    test::WaitFor(leave.get_future());
  });
  std::thread first([&] { waker.Notify(); });
  test::WaitFor(entered.get_future());
  waker.Arm([&] { second = true; });
  waker.Notify();
  EXPECT_FALSE(second) << "while another is being called";
  leave.set_value();
  first.join();
  EXPECT_TRUE(second);
  waker.Disarm();
}

TEST(WakerTest, DisarmWaitsForTheCallUnlessItIsTheCaller) {
  Waker waker;
  std::promise<void> entered;
  std::atomic<bool> left = false;
  waker.Arm([&] {
    waker.Disarm();
    entered.set_value();
    std::this_thread::yield();
    left = true;
  });
  std::thread first([&] { waker.Notify(); });
  test::WaitFor(entered.get_future());
  waker.Disarm();
  EXPECT_TRUE(left);
  first.join();
}

}  // namespace
}  // namespace jobd::worker
