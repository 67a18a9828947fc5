#include "server/auth/password_queue.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "tests/unit/server/fake_worker.h"
#include "tests/unit/server/test_users.h"

namespace jobd::server {
namespace {

using testing::FakeSessionStore;
using testing::HashOf;
using testing::kCheap;
using testing::kPassword;

// Answers as they come.
class Answers {
 public:
  PasswordQueue::Done Next() {
    return [this](base::Result<bool> result) {
      const auto all = all_.Lock();
      all->push_back(std::move(result));
      come_.notify_all();
    };
  }
  std::vector<base::Result<bool>> Await(size_t count) {
    auto all = all_.Lock();
    EXPECT_TRUE(all.WaitFor(come_, std::chrono::seconds(30), [&] { return all->size() >= count; }));
    return *all;
  }

 private:
  base::Guarded<std::vector<base::Result<bool>>> all_;
  std::condition_variable come_;
};

class PasswordQueueTest : public ::testing::Test {
 protected:
  base::Result<bool> Check(PasswordQueue& queue, const std::string& user, const std::string& hash, const std::string& password) {
    Answers answers;
    queue.Check("cert", user, hash, password, answers.Next());
    return answers.Await(1).at(0);
  }
  FakeSessionStore store_;
};

TEST_F(PasswordQueueTest, NobodysPasswordIsWrong) {
  PasswordQueue queue(store_, {.cost = kCheap});
  EXPECT_FALSE(*Check(queue, "nobody", "", kPassword));
  EXPECT_FALSE(*Check(queue, "ann", HashOf("another one"), kPassword));
  EXPECT_TRUE(*Check(queue, "ann", HashOf(kPassword), kPassword));
}

TEST_F(PasswordQueueTest, ALongPasswordIsWrongWithoutAnyWork) {
  PasswordQueue queue(store_, {.cost = kCheap});
  EXPECT_FALSE(*Check(queue, "ann", HashOf(kPassword), std::string(1 << 20, 'x')));
}

TEST_F(PasswordQueueTest, MoreThanMayWaitAreRefusedAndAnotherClientIsNot) {
  PasswordQueue queue(store_, {.cost = kCheap, .at_once = 1, .waiting = 16});
  Answers greedy;
  for (int i = 0; i < 500; ++i) queue.Check("greedy", "ann", "", kPassword, greedy.Next());
  Answers other;
  queue.Check("other", "bob", HashOf(kPassword), kPassword, other.Next());
  const auto of_other = other.Await(1);
  ASSERT_TRUE(of_other.at(0).ok()) << of_other.at(0).error().message();
  EXPECT_TRUE(*of_other.at(0));
  size_t refused = 0;
  for (const auto& one : greedy.Await(500)) {
    if (one.ok()) continue;
    ++refused;
    EXPECT_EQ(one.error().code(), base::Code::kResourceExhausted);
  }
  EXPECT_GT(refused, 400u);
}

TEST_F(PasswordQueueTest, ACheapHashIsMadeAgainAtTheNextLogin) {
  const std::string cheap = HashOf(kPassword);
  const auth::HashCost dearer{.memory_kib = 16 * 1024, .passes = 1};
  {
    PasswordQueue queue(store_, {.cost = dearer});
    EXPECT_FALSE(*Check(queue, "ann", cheap, "wrong password"));
    EXPECT_TRUE(store_.Rehashed()->empty()) << "a wrong password makes nothing";
    EXPECT_TRUE(*Check(queue, "ann", cheap, kPassword));
  }
  const auto stored = *store_.Rehashed();
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored[0].user, "ann");
  EXPECT_EQ(*auth::ParsePasswordHash(stored[0].hash), dearer);
  {
    // It is what counts from then on, over a restart, and is not made a second time.
    PasswordQueue queue(store_, {.cost = dearer});
    EXPECT_TRUE(*Check(queue, "ann", cheap, kPassword));
    EXPECT_FALSE(*Check(queue, "ann", cheap, "wrong password"));
  }
  EXPECT_EQ(store_.Rehashed()->size(), 1u);
  {
    // A new password in the users file makes it void.
    PasswordQueue queue(store_, {.cost = dearer});
    const std::string fresh = HashOf("a new password");
    EXPECT_FALSE(*Check(queue, "ann", fresh, kPassword));
    EXPECT_TRUE(*Check(queue, "ann", fresh, "a new password"));
  }
}

TEST_F(PasswordQueueTest, WhatWaitsAtTheEndIsAnswered) {
  Answers answers;
  {
    PasswordQueue queue(store_, {.cost = kCheap, .at_once = 1});
    for (int i = 0; i < 100; ++i) queue.Check("cert", "ann", "", kPassword, answers.Next());
    queue.Stop();
    queue.Check("cert", "ann", "", kPassword, answers.Next());
  }
  const auto all = answers.Await(101);
  EXPECT_EQ(all.size(), 101u);
  EXPECT_EQ(all.back().error().code(), base::Code::kUnavailable);
}

}  // namespace
}  // namespace jobd::server
