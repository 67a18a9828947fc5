#include "server/auth/session/session_table.h"

#include <gtest/gtest.h>

#include "tests/unit/server/fake_worker.h"

namespace jobd::server {
namespace {

using base::kNanosPerSecond;
using testing::FakeSessionStore;

// Both clocks apart, so that a test can set the wall clock.
class TwoClocks final : public base::Clock {
 public:
  base::Nanos Realtime() const override { return wall; }
  base::Nanos Monotonic() const override { return monotonic; }
  void Pass(base::Nanos time) {
    wall += time;
    monotonic += time;
  }
  base::Nanos wall = 1'700'000'000 * kNanosPerSecond;
  base::Nanos monotonic = 5000 * kNanosPerSecond;
};

class SessionTableTest : public ::testing::Test {
 protected:
  static constexpr SessionTable::Lifetimes kLifetimes = {.token = 900 * kNanosPerSecond, .session = 3600 * kNanosPerSecond};

  base::Result<SessionTable::Granted> Begin(const std::string& user = "ann", const std::string& thumbprint = "cert-a") {
    base::Result<SessionTable::Granted> result = base::Error(base::Code::kInternal, "no answer");
    table_.Begin({.user = user, .host = "web", .thumbprint = thumbprint, .grounds = "g", .max_role = config::Role::kOperator},
                 kLifetimes, [&](auto granted) { result = std::move(granted); });
    return result;
  }
  base::Result<SessionTable::Granted> Renew(const Session& session) {
    base::Result<SessionTable::Granted> result = base::Error(base::Code::kInternal, "no answer");
    table_.Renew(session, kLifetimes, [&](auto granted) { result = std::move(granted); });
    return result;
  }
  std::shared_ptr<const Session> Find(const SessionTable::Granted& granted, const std::string& thumbprint = "cert-a") {
    return table_.FindToken(granted.token->Digest(), thumbprint);
  }
  // The same database, as the next process finds it.
  std::unique_ptr<SessionTable> Restarted(uint64_t boot = 1) {
    auto next = std::make_unique<SessionTable>(store_, clock_, boot);
    EXPECT_TRUE(next->Load().ok());
    return next;
  }

  TwoClocks clock_;
  FakeSessionStore store_;
  SessionTable table_{store_, clock_, 1};
};

TEST_F(SessionTableTest, ATokenIsWorthNothingWithAnotherCertificate) {
  const auto granted = Begin();
  ASSERT_TRUE(granted.ok());
  EXPECT_EQ(Find(*granted, "cert-b"), nullptr);
  EXPECT_EQ(Find(*granted, ""), nullptr);
  ASSERT_NE(Find(*granted), nullptr);
  EXPECT_EQ(Find(*granted)->user, "ann");
}

TEST_F(SessionTableTest, AnUnknownTokenIsNobodys) {
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(table_.FindToken(auth::AccessToken::Generate().Digest(), "cert-a"), nullptr);
  EXPECT_EQ(table_.Find("s-0000000000000000"), nullptr);
}

TEST_F(SessionTableTest, TheTokenEndsInTimeAndItsSessionWithIt) {
  const auto granted = Begin();
  EXPECT_EQ(granted->expires_in, 900 * kNanosPerSecond);
  clock_.Pass(899 * kNanosPerSecond);
  EXPECT_NE(Find(*granted), nullptr);
  clock_.Pass(kNanosPerSecond);
  EXPECT_EQ(Find(*granted), nullptr);
  EXPECT_EQ(table_.Find(granted->session.handle), nullptr);
  EXPECT_FALSE(Renew(granted->session).ok());
  EXPECT_TRUE(table_.List("").empty());
}

TEST_F(SessionTableTest, NoClockThatIsSetBackMakesATokenLast) {
  const auto granted = Begin();
  clock_.wall -= 3600 * kNanosPerSecond;
  clock_.monotonic += 899 * kNanosPerSecond;
  EXPECT_NE(Find(*granted), nullptr);
  clock_.monotonic += kNanosPerSecond;
  EXPECT_EQ(Find(*granted), nullptr);
}

TEST_F(SessionTableTest, AClockThatIsSetForwardEndsItEarly) {
  const auto granted = Begin();
  clock_.wall += 3600 * kNanosPerSecond;
  EXPECT_EQ(Find(*granted), nullptr);
}

TEST_F(SessionTableTest, SurvivesARestartWithTheSameEnd) {
  const auto granted = Begin();
  clock_.Pass(300 * kNanosPerSecond);
  const auto next = Restarted();
  clock_.Pass(599 * kNanosPerSecond);
  EXPECT_NE(next->FindToken(granted->token->Digest(), "cert-a"), nullptr);
  EXPECT_EQ(next->FindToken(granted->token->Digest(), "cert-b"), nullptr);
  clock_.Pass(kNanosPerSecond);
  EXPECT_EQ(next->FindToken(granted->token->Digest(), "cert-a"), nullptr);
}

TEST_F(SessionTableTest, AClockSetBackWhileTheServiceIsDownGivesNothing) {
  const auto granted = Begin();
  clock_.Pass(300 * kNanosPerSecond);
  clock_.wall -= 250 * kNanosPerSecond;
  // In the same boot the monotonic clock goes on.
  const auto same_boot = Restarted();
  clock_.Pass(599 * kNanosPerSecond);
  EXPECT_NE(same_boot->FindToken(granted->token->Digest(), "cert-a"), nullptr);
  clock_.Pass(kNanosPerSecond);
  EXPECT_EQ(same_boot->FindToken(granted->token->Digest(), "cert-a"), nullptr);
}

TEST_F(SessionTableTest, AfterARebootATokenLastsNoLongerThanOne) {
  const auto granted = Begin();
  clock_.monotonic = kNanosPerSecond;
  clock_.wall += 60 * kNanosPerSecond;
  const auto rebooted = Restarted(2);
  EXPECT_NE(rebooted->FindToken(granted->token->Digest(), "cert-a"), nullptr);
  // Whatever the wall clock says from now on.
  clock_.wall -= 30 * kNanosPerSecond;
  clock_.monotonic += 840 * kNanosPerSecond;
  EXPECT_EQ(rebooted->FindToken(granted->token->Digest(), "cert-a"), nullptr);
}

TEST_F(SessionTableTest, AfterARebootIntoThePastThereAreNoSessions) {
  const auto granted = Begin();
  clock_.monotonic = kNanosPerSecond;
  clock_.wall -= kNanosPerSecond;
  EXPECT_EQ(Restarted(2)->FindToken(granted->token->Digest(), "cert-a"), nullptr);
  EXPECT_TRUE(store_.Sessions()->empty()) << "and they are gone for good";
}

TEST_F(SessionTableTest, RenewingEndsTheOldTokenAndKeepsTheSession) {
  const auto first = Begin();
  clock_.Pass(600 * kNanosPerSecond);
  const auto second = Renew(first->session);
  ASSERT_TRUE(second.ok()) << second.error().message();
  EXPECT_EQ(second->session.handle, first->session.handle);
  EXPECT_EQ(second->session.created_at, first->session.created_at);
  EXPECT_EQ(second->session.ends, first->session.ends);
  EXPECT_EQ(Find(*first), nullptr);
  EXPECT_NE(Find(*second), nullptr);
  EXPECT_EQ(Renew(first->session).error().code(), base::Code::kUnauthenticated) << "with the old one nothing is renewed";
  EXPECT_NE(Find(*second), nullptr);
  const auto next = Restarted();
  EXPECT_EQ(next->FindToken(first->token->Digest(), "cert-a"), nullptr);
  EXPECT_NE(next->FindToken(second->token->Digest(), "cert-a"), nullptr);
}

TEST_F(SessionTableTest, NoRenewalOutlivesTheSession) {
  auto granted = Begin();
  for (int i = 0; i < 5; ++i) {
    clock_.Pass(600 * kNanosPerSecond);
    granted = Renew(granted->session);
    ASSERT_TRUE(granted.ok());
  }
  EXPECT_EQ(granted->expires_in, 600 * kNanosPerSecond) << "what is left of the session";
  clock_.Pass(600 * kNanosPerSecond);
  EXPECT_FALSE(Renew(granted->session).ok());
  EXPECT_EQ(Find(*granted), nullptr);
}

TEST_F(SessionTableTest, WhatTheDatabaseDoesNotTakeIsNotGranted) {
  store_.FailWith(base::Error(base::Code::kResourceExhausted, "the state disk is full"));
  EXPECT_EQ(Begin().error().code(), base::Code::kResourceExhausted);
  EXPECT_TRUE(table_.List("").empty());
  store_.FailWith(std::nullopt);
  const auto granted = Begin();
  store_.FailWith(base::Error(base::Code::kUnavailable, "the state disk failed"));
  EXPECT_EQ(Renew(granted->session).error().code(), base::Code::kUnavailable);
  EXPECT_NE(Find(*granted), nullptr) << "the old token goes on";
  store_.FailWith(std::nullopt);
  EXPECT_TRUE(Renew(granted->session).ok()) << "and may be renewed";
}

TEST_F(SessionTableTest, ASessionIsThereWhenTheDatabaseHasIt) {
  store_.Hold();
  bool answered = false;
  table_.Begin({.user = "ann", .host = {}, .thumbprint = "cert-a", .grounds = "g"}, kLifetimes,
               [&](auto granted) { answered = granted.ok(); });
  EXPECT_FALSE(answered);
  EXPECT_TRUE(table_.List("").empty());
  store_.Commit();
  EXPECT_TRUE(answered);
  EXPECT_EQ(table_.List("").size(), 1u);
}

TEST_F(SessionTableTest, EndsAtOnceWhateverTheDatabaseSays) {
  const auto granted = Begin();
  store_.FailWith(base::Error(base::Code::kUnavailable, "the state disk failed"));
  base::Status told;
  EXPECT_EQ(table_.End([](const Session& session) { return session.user == "ann"; }, [&](base::Status status) { told = status; }),
            1u);
  EXPECT_FALSE(told.ok());
  EXPECT_EQ(Find(*granted), nullptr);
  EXPECT_EQ(store_.Sessions()->size(), 1u);
  store_.FailWith(std::nullopt);
  EXPECT_EQ(table_.End([](const Session&) { return false; }, {}), 0u);
  EXPECT_TRUE(store_.Sessions()->empty()) << "it is told again";
}

TEST_F(SessionTableTest, WhatEndsWhileItIsRenewedHasEnded) {
  const auto granted = Begin();
  store_.Hold();
  base::Result<SessionTable::Granted> renewed = base::Error(base::Code::kInternal, "no answer");
  table_.Renew(granted->session, kLifetimes, [&](auto result) { renewed = std::move(result); });
  base::Result<SessionTable::Granted> again = base::Error(base::Code::kInternal, "no answer");
  table_.Renew(granted->session, kLifetimes, [&](auto result) { again = std::move(result); });
  EXPECT_EQ(again.error().code(), base::Code::kAborted);
  EXPECT_EQ(table_.End([](const Session&) { return true; }, {}), 1u);
  store_.Commit();
  EXPECT_EQ(renewed.error().code(), base::Code::kUnauthenticated);
  EXPECT_TRUE(table_.List("").empty());
  EXPECT_TRUE(store_.Sessions()->empty());
}

TEST_F(SessionTableTest, AUserHasSoManyAndNoMoreAndThatKeepsNobodyElseOut) {
  std::string last;
  for (size_t i = 0; i < SessionTable::kMaxOfClient; ++i) ASSERT_TRUE(Begin().ok()) << i;
  const auto more = Begin();
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error().code(), base::Code::kResourceExhausted);
  EXPECT_TRUE(Begin("ann", "cert-b").ok());
  EXPECT_TRUE(Begin("bob", "cert-a").ok());
  clock_.Pass(900 * kNanosPerSecond);
  EXPECT_TRUE(Begin().ok()) << "those that have ended do not count";
  EXPECT_EQ(store_.Sessions()->size(), 1u) << "nor stay";
}

TEST_F(SessionTableTest, TheDatabaseHasNoToken) {
  const auto granted = Begin();
  const auto stored = store_.Sessions();
  ASSERT_TRUE(stored.ok());
  ASSERT_EQ(stored->size(), 1u);
  for (const auto& record : *stored) {
    EXPECT_EQ(record.token.size(), 32u);
    EXPECT_EQ(record.token.find("jobd_"), std::string::npos);
    EXPECT_EQ(record.grounds.find(granted->token->text()), std::string::npos);
  }
}

TEST(Grounds, ChangeWithRoleAndPasswordAlone) {
  config::User user{.name = "ann", .role = config::Role::kOperator, .password = "h1"};
  const std::string before = GroundsOf(user);
  user.profiles = {"open"};
  EXPECT_EQ(GroundsOf(user), before);
  user.password = "h2";
  EXPECT_NE(GroundsOf(user), before);
  user.password = "h1";
  user.role = config::Role::kViewer;
  EXPECT_NE(GroundsOf(user), before);
}

}  // namespace
}  // namespace jobd::server
