// A token while jobctl runs: when it is sent, when it is renewed and by whom.
#include "cli/connect/token_keeper.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "auth/access_token.h"
#include "base/guarded.h"
#include "tests/support/temp_dir.h"

namespace jobd::cli {
namespace {

using base::kNanosPerSecond;

class TestClock final : public base::Clock {
 public:
  base::Nanos Realtime() const override { return 1'700'000'000 * kNanosPerSecond + passed_.load(); }
  base::Nanos Monotonic() const override { return 5000 * kNanosPerSecond + passed_.load(); }
  void Pass(base::Nanos time) { passed_ += time; }

 private:
  std::atomic<base::Nanos> passed_ = 0;
};

// A service that renews the token that it gave last, and no other.
class Service {
 public:
  std::string Give() {
    const auto state = state_.Lock();
    state->valid = auth::AccessToken::Generate().text();
    return state->valid;
  }
  TokenKeeper::Renew Renewer() {
    return [this](const std::string& token) -> base::Result<TokenKeeper::Renewed> {
      const auto state = state_.Lock();
      ++state->asked;
      come_.notify_all();
      if (state->down) return base::Error(base::Code::kUnavailable, "down");
      if (token != state->valid) return base::Error(base::Code::kUnauthenticated, "the session has ended");
      state->valid = auth::AccessToken::Generate().text();
      return TokenKeeper::Renewed{.token = state->valid, .expires_in = 900 * kNanosPerSecond};
    };
  }
  void SetDown(bool down) { state_.Lock()->down = down; }
  int asked() { return state_.Lock()->asked; }
  std::string valid() { return state_.Lock()->valid; }
  bool AwaitAsked() {
    auto state = state_.Lock();
    return state.WaitFor(come_, std::chrono::seconds(30), [&] { return state->asked > 0; });
  }

 private:
  struct State {
    std::string valid;
    int asked = 0;
    bool down = false;
  };
  base::Guarded<State> state_;
  std::condition_variable come_;
};

class TokenKeeperTest : public testing::Test {
 protected:
  TokenKeeperTest() { std::ofstream(connection_.cert) << "a certificate"; }

  // Logged in just now.
  std::string LogIn() {
    const std::string token = service_.Give();
    auto stored = NewToken(connection_, token, clock_.Realtime(), 900 * kNanosPerSecond);
    EXPECT_TRUE(stored.ok());
    stored->user = "ann";
    stored->session = "s-1";
    EXPECT_TRUE(WriteTokenFile(connection_.token_file, *stored).ok());
    return token;
  }
  std::unique_ptr<TokenKeeper> Open() {
    auto keeper = TokenKeeper::Open(connection_, service_.Renewer(), clock_);
    EXPECT_TRUE(keeper.ok()) << keeper.error().message();
    return keeper.ok() ? *std::move(keeper) : nullptr;
  }
  std::string WhyNot(bool asked) {
    connection_.token_is_asked = asked;
    const auto keeper = TokenKeeper::Open(connection_, service_.Renewer(), clock_);
    if (keeper.ok()) return *keeper ? "a token" : "none";
    EXPECT_EQ(keeper.error().code(), base::Code::kFailedPrecondition);
    return keeper.error().message();
  }

  test::TempDir folder_;
  TestClock clock_;
  Service service_;
  Connection connection_{
      .address = "h:1", .ca = {}, .cert = folder_.path() + "/cert", .key = {}, .token_file = folder_.path() + "/token"};
};

TEST_F(TokenKeeperTest, ATokenForOthersIsNotSent) {
  LogIn();
  connection_.address = "elsewhere:1";
  EXPECT_EQ(WhyNot(false), "none");
  EXPECT_NE(WhyNot(true).find("is of a login at h:1"), std::string::npos) << WhyNot(true);
  connection_.address = "h:1";
  EXPECT_EQ(WhyNot(true), "a token");
  std::ofstream(connection_.cert) << "another certificate";
  EXPECT_EQ(WhyNot(false), "none");
  EXPECT_NE(WhyNot(true).find("with another certificate"), std::string::npos) << WhyNot(true);
  EXPECT_EQ(service_.asked(), 0);
}

TEST_F(TokenKeeperTest, WhereNoneIsThereIsSaidOnlyToWhoAskedForOne) {
  EXPECT_EQ(WhyNot(false), "none");
  EXPECT_NE(WhyNot(true).find("log in first"), std::string::npos) << WhyNot(true);
  connection_.token_file.clear();
  EXPECT_EQ(WhyNot(true), "none");
}

TEST_F(TokenKeeperTest, OneThatHasEndedIsLeftAloneUnlessItWasAskedFor) {
  LogIn();
  clock_.Pass(900 * kNanosPerSecond);
  EXPECT_EQ(WhyNot(false), "none");
  EXPECT_EQ(WhyNot(true), "a token") << "the service says what became of it";
}

TEST_F(TokenKeeperTest, RenewsAtTwoThirdsAndKeepsWhatItIsOf) {
  const std::string first = LogIn();
  const auto keeper = Open();
  clock_.Pass(599 * kNanosPerSecond);
  EXPECT_EQ(keeper->Current(), first);
  EXPECT_EQ(service_.asked(), 0);
  clock_.Pass(kNanosPerSecond);
  const std::string second = keeper->Current();
  EXPECT_EQ(second, service_.valid());
  EXPECT_NE(second, first);
  EXPECT_EQ(keeper->Current(), second);
  EXPECT_EQ(service_.asked(), 1);
  const auto stored = ReadTokenFile(connection_.token_file);
  ASSERT_TRUE(stored.ok()) << stored.error().message();
  EXPECT_EQ(stored->token, second);
  EXPECT_EQ(stored->user, "ann");
  EXPECT_EQ(stored->session, "s-1");
  EXPECT_EQ(stored->renew_at, clock_.Realtime() + 600 * kNanosPerSecond);
  EXPECT_EQ(stored->expires_at, clock_.Realtime() + 900 * kNanosPerSecond);
}

TEST_F(TokenKeeperTest, RenewsByItselfWhileNobodyCalls) {
  LogIn();
  clock_.Pass(600 * kNanosPerSecond);
  const auto keeper = Open();
  EXPECT_TRUE(service_.AwaitAsked());
}

TEST_F(TokenKeeperTest, WhileTheServiceIsAwayTheOldOneIsSentAndAnotherTryIsMade) {
  const std::string first = LogIn();
  service_.SetDown(true);
  const auto keeper = Open();
  clock_.Pass(600 * kNanosPerSecond);
  EXPECT_EQ(keeper->Current(), first);
  EXPECT_EQ(keeper->Current(), first);
  EXPECT_EQ(service_.asked(), 1) << "not at each call";
  clock_.Pass(2 * kNanosPerSecond);
  service_.SetDown(false);
  EXPECT_NE(keeper->Current(), first);
}

TEST_F(TokenKeeperTest, WhatAnotherJobctlHasRenewedIsTaken) {
  const std::string first = LogIn();
  const auto keeper = Open();
  const auto other = Open();
  clock_.Pass(600 * kNanosPerSecond);
  const std::string second = other->Current();
  EXPECT_EQ(keeper->Current(), second);
  EXPECT_EQ(service_.asked(), 1);
  // And where its own was refused: another login has come since.
  const std::string third = LogIn();
  EXPECT_TRUE(keeper->HasOtherThan(second));
  EXPECT_EQ(keeper->Current(), third);
}

TEST_F(TokenKeeperTest, ManyAtOnceRenewOnce) {
  LogIn();
  std::vector<std::unique_ptr<TokenKeeper>> keepers;
  for (int i = 0; i < 8; ++i) keepers.push_back(Open());
  clock_.Pass(600 * kNanosPerSecond);
  std::vector<std::thread> threads;
  for (const auto& keeper : keepers) {
    threads.emplace_back([&] {
      const std::string current = keeper->Current();
      EXPECT_EQ(current, service_.valid());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(service_.asked(), 1);
}

TEST_F(TokenKeeperTest, ALoginOfSomebodyElseIsNotTakenUp) {
  const std::string mine = LogIn();
  const auto keeper = Open();
  // The same file, for another service.
  auto foreign = NewToken(connection_, auth::AccessToken::Generate().text(), clock_.Realtime(), 900 * kNanosPerSecond);
  foreign->address = "elsewhere:1";
  ASSERT_TRUE(WriteTokenFile(connection_.token_file, *foreign).ok());
  EXPECT_FALSE(keeper->HasOtherThan(mine));
  // What is no token file at all, and none.
  std::ofstream(connection_.token_file) << "hunter2";
  EXPECT_FALSE(keeper->HasOtherThan(mine));
  ForgetToken(connection_.token_file);
  EXPECT_FALSE(keeper->HasOtherThan(mine));
  EXPECT_EQ(keeper->Current(), mine);
}

TEST_F(TokenKeeperTest, WithoutItsCertificatesFileItGoesOnInMemory) {
  const std::string first = LogIn();
  const auto keeper = Open();
  std::filesystem::remove(connection_.cert);
  clock_.Pass(600 * kNanosPerSecond);
  EXPECT_NE(keeper->Current(), first);
  clock_.Pass(600 * kNanosPerSecond);
  const std::string current = keeper->Current();
  EXPECT_EQ(current, service_.valid());
  EXPECT_EQ(service_.asked(), 2);
}

TEST_F(TokenKeeperTest, ABareTokenIsSentAsItIs) {
  const std::string token = service_.Give();
  std::ofstream(connection_.token_file) << token << "\n";
  std::filesystem::permissions(connection_.token_file, std::filesystem::perms(0600));
  const auto keeper = Open();
  clock_.Pass(100'000 * kNanosPerSecond);
  EXPECT_EQ(keeper->Current(), token) << "nobody knows when it ends";
  EXPECT_EQ(service_.asked(), 0);
}

}  // namespace
}  // namespace jobd::cli
