#include "worker/run/loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "tests/support/await.h"

namespace jobd::worker {
namespace {

TEST(LoopTest, TurnsComeOneAfterTheOtherAndInOrderWhoeverIsAside) {
  constexpr int kPosters = 4;
  constexpr int kPosts = 2000;
  Loop loop;
  ASSERT_TRUE(loop.Start().ok());
  std::atomic<int> inside = 0;
  std::atomic<bool> overlapped = false;
  std::vector<int> last(kPosters, -1);
  bool in_order = true;
  std::promise<void> all;
  int turns = 0;
  bool aside = false;  // a turn's, like the rest
  const auto turn = [&](int poster, int number) {
    if (++inside != 1) overlapped = true;
    in_order = in_order && last[static_cast<size_t>(poster)] < number;
    last[static_cast<size_t>(poster)] = number;
    if (!std::exchange(aside, true)) {
      loop.Aside([&] { loop.Post([&] { aside = false; }); });
    }
    --inside;
    if (++turns == kPosters * kPosts) all.set_value();
  };
  std::vector<std::thread> posters;
  for (int poster = 0; poster < kPosters; ++poster) {
    posters.emplace_back([&, poster] {
      for (int number = 0; number < kPosts; ++number) loop.Post([&turn, poster, number] { turn(poster, number); });
    });
  }
  for (std::thread& poster : posters) poster.join();
  test::WaitFor(all.get_future());
  loop.Stop([] {});
  EXPECT_FALSE(overlapped);
  EXPECT_TRUE(in_order);
}

// The log disk hangs: turns are taken, and what is to be done aside is for somebody else, so that one thread is left for the turns.
TEST(LoopTest, FaultD8WhoWaitsForTheLogDiskKeepsNobodyElse) {
  Loop loop;
  std::promise<void> hangs, goes_on, posted, second;
  std::shared_future<void> open = goes_on.get_future().share();
  ASSERT_TRUE(loop.Start().ok());
  loop.Post([&] {
    loop.OnLogDisk([&] {
      hangs.set_value();
      test::WaitFor(open);
    });
  });
  test::WaitFor(hangs.get_future());
  loop.Post([&] {
    EXPECT_TRUE(loop.IsAsideWithLogDisk());
    loop.OnLogDisk([&] {
      second.set_value();
      test::WaitFor(open);
    });
    posted.set_value();
  });
  test::WaitFor(posted.get_future());
  test::WaitFor(second.get_future());
  std::promise<void> still;
  loop.Post([&] { still.set_value(); });
  test::WaitFor(still.get_future());
  EXPECT_FALSE(loop.log_disk().Hangs()) << "not for so long";
  goes_on.set_value();
  loop.Stop([] {});
  EXPECT_FALSE(loop.IsAsideWithLogDisk());
}

TEST(LoopTest, FaultD8WhoWaitsAsideKeepsNobodyElse) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const base::Fd in(ends[0]);
  const base::Fd out(ends[1]);
  Loop loop;
  std::promise<void> hangs, goes_on, posted, timed, readable;
  loop.WatchReadable(in.get(), [&] {
    loop.Unwatch(in.get());
    readable.set_value();
  });
  ASSERT_TRUE(loop.Start().ok());
  loop.Post([&] {
    loop.Aside([&] {
      hangs.set_value();
      test::WaitFor(goes_on.get_future());
    });
  });
  test::WaitFor(hangs.get_future());
  loop.Post([&] { posted.set_value(); });
  test::WaitFor(posted.get_future());
  loop.Post([&] { loop.After(1, [&] { timed.set_value(); }); });
  test::WaitFor(timed.get_future());
  ASSERT_EQ(::write(out.get(), "x", 1), 1);
  test::WaitFor(readable.get_future());
  goes_on.set_value();
  loop.Stop([] {});
}

TEST(LoopTest, WhatIsAsideWhenTheLoopStopsIsDoneOrDestroyed) {
  for (int i = 0; i < 100; ++i) {
    auto held = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = held;
    Loop loop;
    ASSERT_TRUE(loop.Start().ok());
    loop.Post([&loop, held = std::move(held)] { loop.Aside([held] {}); });
    // In the middle of it, or before, or behind.
    loop.Stop([&loop, watched] {
      if (const auto again = watched.lock()) loop.Aside([again] {});
    });
    EXPECT_TRUE(watched.expired()) << "it may belong to somebody who ends before the loop does";
  }
}

}  // namespace
}  // namespace jobd::worker
