#include "server/auth/session/login_throttle.h"

#include <gtest/gtest.h>

namespace jobd::server {
namespace {

class StillClock final : public base::Clock {
 public:
  base::Nanos Realtime() const override { return now; }
  base::Nanos Monotonic() const override { return now; }
  void Pass(int seconds) { now += seconds * base::kNanosPerSecond; }
  base::Nanos now = 1000 * base::kNanosPerSecond;
};

class LoginThrottleTest : public ::testing::Test {
 protected:
  LoginThrottleTest() { throttle_.SetRate(10); }
  // How many of these attempts, all of them wrong, are taken.
  int Wrong(const std::string& certificate, const std::string& user, int attempts) {
    int taken = 0;
    for (int i = 0; i < attempts; ++i) taken += throttle_.Take(certificate, user) ? 0 : 1;
    return taken;
  }
  StillClock clock_;
  LoginThrottle throttle_{clock_};
};

TEST_F(LoginThrottleTest, AfterSomeWrongOnesMoreAreRefusedWithTheTimeToWait) {
  EXPECT_EQ(Wrong("a", "ann", 20), 10);
  const auto refused = throttle_.Take("a", "ann");
  ASSERT_TRUE(refused);
  EXPECT_NEAR(static_cast<double>(*refused) / base::kNanosPerSecond, 6, 0.001);
  clock_.Pass(7);
  EXPECT_FALSE(throttle_.Take("a", "ann"));
  EXPECT_TRUE(throttle_.Take("a", "ann"));
}

TEST_F(LoginThrottleTest, WhoTriesLocksNobodyOut) {
  EXPECT_EQ(Wrong("a", "ann", 1000), 10);
  EXPECT_EQ(Wrong("b", "ann", 1), 1) << "the user herself, from elsewhere";
  EXPECT_EQ(Wrong("a", "bob", 1), 1) << "another user behind the same host";
}

TEST_F(LoginThrottleTest, ManyCertificatesGuessNoFasterAndLockNobodyOut) {
  int taken = 0;
  for (int i = 0; i < 100; ++i) taken += Wrong("bot-" + std::to_string(i), "ann", 100);
  EXPECT_LE(taken, 10 * 5 + 95) << "of each one, once it is an attack";
  EXPECT_EQ(Wrong("home", "ann", 1), 1) << "the first from another certificate";
  EXPECT_EQ(Wrong("home", "ann", 1), 0);
  clock_.Pass(60);
  EXPECT_EQ(Wrong("home", "ann", 1), 1);
}

TEST_F(LoginThrottleTest, ARightOneDoesNotCount) {
  for (int i = 0; i < 1000; ++i) {
    ASSERT_FALSE(throttle_.Take("a", "ann")) << i;
    throttle_.GiveBack("a", "ann");
  }
  // Nor during an attack.
  for (int i = 0; i < 10; ++i) Wrong("bot-" + std::to_string(i), "ann", 10);
  for (int i = 0; i < 100; ++i) {
    ASSERT_FALSE(throttle_.Take("home", "ann")) << i;
    throttle_.GiveBack("home", "ann");
  }
}

TEST_F(LoginThrottleTest, AtOnceAsManyAsMayBeWrong) {
  // None of them has been looked at yet: each may be wrong.
  EXPECT_EQ(Wrong("a", "ann", 500), 10);
}

TEST_F(LoginThrottleTest, ACertificateTriesSoManyUsersAndNoMore) {
  int taken = 0;
  for (int i = 0; i < 1000; ++i) taken += Wrong("a", "user-" + std::to_string(i), 1);
  EXPECT_EQ(taken, 200);
  EXPECT_EQ(Wrong("b", "user-1", 1), 1);
}

TEST_F(LoginThrottleTest, ARateOfNoneIsNoBound) {
  throttle_.SetRate(0);
  EXPECT_EQ(Wrong("a", "ann", 1000), 1000);
}

TEST_F(LoginThrottleTest, RemembersABoundedNumber) {
  throttle_.SetRate(1'000'000);
  for (int i = 0; i < 20'000; ++i) ASSERT_FALSE(throttle_.Take("cert-" + std::to_string(i), "user-" + std::to_string(i)));
}

}  // namespace
}  // namespace jobd::server
