// How many calls a connection and a user may have on their way, and what ends a connection.
#include "server/grpc/connections/connection_guard.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/auth/access.h"
#include "server/grpc/connections/connection_table.h"
#include "server/ops/heap_trimmer.h"
#include "tests/unit/server/api_fixture.h"

namespace jobd::server {
namespace {

class ConnectionGuardTest : public ::testing::Test {
 protected:
  uint64_t Open(const std::string& user) { return guard_.Open(ca_.User(user).cert, "ipv4:192.0.2.1:7"); }
  // How many calls the connection may begin until it is ended, of at most so many.
  uint32_t Begin(uint64_t connection, uint32_t most) {
    uint32_t begun = 0;
    while (begun < most && guard_.MayBegin(connection)) {
      guard_.OnBegun(connection);
      ++begun;
    }
    return begun;
  }
  static std::shared_ptr<const AccessRules> Rules() {
    auto rules = std::make_shared<AccessRules>();
    rules->users = *config::Users::Parse("users.toml", testing::UsersText());
    return rules;
  }

  testing::TestCa ca_;
  testing::MovableClock clock_;
  AccessControl access_{Rules(), clock_};
  ConnectionTable table_{clock_};
  HeapTrimmer heap_;
  std::vector<std::string> ended_;
  ConnectionGuard guard_{access_, table_, heap_, clock_, [this](auto peer, auto who, auto why) {
                           ended_.push_back(std::string(peer) + " " + std::string(who) + " " + std::string(why));
                         }};
};

TEST_F(ConnectionGuardTest, FaultD2AConnectionWithMoreCallsThanItMayHaveIsEndedOnce) {
  const uint64_t connection = Open("viewer");
  EXPECT_EQ(Begin(connection, 10'000), ConnectionGuard::kMaxOfConnection);
  EXPECT_TRUE(guard_.MustEnd(connection));
  EXPECT_FALSE(guard_.MayBegin(connection));
  guard_.OnDone(connection);
  EXPECT_FALSE(guard_.MayBegin(connection)) << "though there is room again";
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_NE(ended_.front().find("ipv4:192.0.2.1:7 viewer it has more calls"), std::string::npos) << ended_.front();
  EXPECT_FALSE(guard_.MustEnd(Open("viewer"))) << "another of the same user";
}

TEST_F(ConnectionGuardTest, FaultD2CallsThatAreDoneWithMakeRoom) {
  const uint64_t connection = Open("viewer");
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(Begin(connection, 4), 4u);
    for (int j = 0; j < 4; ++j) guard_.OnDone(connection);
  }
  EXPECT_EQ(guard_.calls(), 0u);
  EXPECT_TRUE(ended_.empty());
}

TEST_F(ConnectionGuardTest, FaultD2ManyConnectionsOfOneUserHaveABoundTogether) {
  constexpr uint32_t kMost = 2 * ConnectionGuard::kLeastMaxOfUser;
  uint32_t begun = 0;
  for (int i = 0; i < 100; ++i) begun += Begin(Open("viewer"), 400);
  // Each of those that found no room has one call, the first.
  EXPECT_GE(begun, kMost);
  EXPECT_LE(begun, kMost + 100);
  EXPECT_EQ(guard_.calls(), begun);
  // Another is served as ever.
  const uint64_t other = Open("operator");
  EXPECT_EQ(Begin(other, 400), 400u);
  EXPECT_TRUE(guard_.MayGoOn(other));
}

TEST_F(ConnectionGuardTest, FaultD2AllUsersHaveABoundTogether) {
  constexpr uint32_t kMost = 4 * 2 * ConnectionGuard::kLeastMaxOfUser;
  uint32_t begun = 0;
  for (const char* user : {"admin", "operator", "operator2", "operator3", "viewer", "nobody"}) {
    for (int i = 0; i < 20; ++i) begun += Begin(Open(user), 400);
  }
  EXPECT_LE(begun, kMost + 120);
}

TEST_F(ConnectionGuardTest, BeyondTheFirstBoundCallsAreRefusedAndOneOfEachConnectionIsNot) {
  std::vector<uint64_t> connections;
  for (int i = 0; i < 4; ++i) {
    connections.push_back(Open("viewer"));
    EXPECT_EQ(Begin(connections.back(), 300), 300u);
  }
  EXPECT_FALSE(guard_.MayGoOn(connections.front()));
  EXPECT_FALSE(guard_.MustEnd(connections.front())) << "refused is not ended";
  const uint64_t idle = Open("viewer");
  EXPECT_EQ(Begin(idle, 1), 1u);
  EXPECT_TRUE(guard_.MayGoOn(idle));
  guard_.SetMaxInProgress(1000);
  EXPECT_TRUE(guard_.MayGoOn(connections.front()));
}

TEST_F(ConnectionGuardTest, FaultD2MisusesEndAConnectionUnlessTheyAreFew) {
  const uint64_t slow = Open("operator");
  const uint64_t quick = Open("viewer");
  for (int i = 0; i < 20; ++i) {
    for (int j = 0; j < 150; ++j) guard_.OnMisuse(slow);
    for (int j = 0; j < 250; ++j) guard_.OnMisuse(quick);
    clock_.Advance(base::kNanosPerSecond / 2);
  }
  EXPECT_FALSE(guard_.MustEnd(slow));
  EXPECT_TRUE(guard_.MustEnd(quick));
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_NE(ended_.front().find("viewer"), std::string::npos);
}

TEST_F(ConnectionGuardTest, FaultD2AUserHasABudgetOfMisusesForAllHisConnections) {
  uint32_t misuses = 0;
  for (int i = 0; i < 100; ++i) {
    const uint64_t connection = Open("viewer");
    for (int j = 0; j < 400 && !guard_.MustEnd(connection); ++j, ++misuses) guard_.OnMisuse(connection);
  }
  EXPECT_LT(misuses, 8000u);
  EXPECT_GT(ended_.size(), 80u);
  const uint64_t careful = Open("viewer");
  for (int j = 0; j < 30; ++j) guard_.OnMisuse(careful);
  EXPECT_FALSE(guard_.MustEnd(careful));
  const uint64_t other = Open("operator");
  for (int j = 0; j < 900; ++j) guard_.OnMisuse(other);
  EXPECT_FALSE(guard_.MustEnd(other));
}

TEST_F(ConnectionGuardTest, FaultD2WhatWillBeRefusedIsChargedWhenItIsBegun) {
  std::vector<uint64_t> connections;
  uint32_t begun = 0;
  for (int i = 0; i < 200; ++i) {
    const uint64_t connection = Open("viewer");
    begun += Begin(connection, 400);
    // As fast as they come: its user has never twice the bound.
    for (int j = 0; j < 200; ++j) guard_.OnDone(connection);
  }
  EXPECT_LT(begun, 20'000u);
}

TEST_F(ConnectionGuardTest, PingsEndAConnectionUnlessTheyAreRare) {
  const uint64_t connection = Open("operator");
  for (int i = 0; i < 100; ++i) {
    guard_.OnPing(connection);
    clock_.Advance(base::kNanosPerSecond);
  }
  EXPECT_FALSE(guard_.MustEnd(connection));
  for (int i = 0; i < 20; ++i) guard_.OnPing(connection);
  EXPECT_TRUE(guard_.MustEnd(connection));
}

TEST_F(ConnectionGuardTest, AStrangerIsNamedByHisCertificate) {
  const uint64_t connection = Open("mallory");
  Begin(connection, 10'000);
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_NE(ended_.front().find("mallory"), std::string::npos) << ended_.front();
}

TEST_F(ConnectionGuardTest, AUserHasABoundOfConnections) {
  const std::string viewer = ca_.User("viewer").cert;
  std::vector<uint64_t> connections;
  for (uint32_t i = 0; i < ConnectionGuard::kMaxConnectionsOfUser; ++i)
    connections.push_back(guard_.Open(viewer, "ipv4:192.0.2.1:7"));
  EXPECT_TRUE(ended_.empty());
  const uint64_t beyond = guard_.Open(viewer, "ipv4:192.0.2.1:7");
  EXPECT_TRUE(guard_.MustEnd(beyond));
  EXPECT_FALSE(guard_.MustEnd(Open("operator")));
  guard_.Close(beyond);
  guard_.Close(connections.front());
  EXPECT_FALSE(guard_.MustEnd(guard_.Open(viewer, "ipv4:192.0.2.1:7")));
}

TEST_F(ConnectionGuardTest, WhatIsClosedCountsNoMore) {
  const uint64_t connection = Open("viewer");
  Begin(connection, 300);
  guard_.Close(connection);
  EXPECT_EQ(guard_.calls(), 0u);
  guard_.OnDone(connection);
  guard_.OnMisuse(connection);
  EXPECT_EQ(guard_.calls(), 0u);
  EXPECT_FALSE(guard_.MustEnd(connection));
}

}  // namespace
}  // namespace jobd::server
