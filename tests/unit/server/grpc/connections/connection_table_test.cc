// Whose connection gives way when places are short.
#include "server/grpc/connections/connection_table.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <vector>

#include "base/fd.h"
#include "base/listener.h"
#include "tests/unit/server/api_fixture.h"

namespace jobd::server {
namespace {

constexpr size_t kPerAddress = 8;
constexpr size_t kTotal = 1000;

class ConnectionTableTest : public ::testing::Test {
 protected:
  struct Connection {
    base::Fd client;
    base::Fd server;
    sockaddr_storage peer{};
    std::string name;  // in gRPC's form
  };

  // A connection from an address of this machine's, not admitted yet.
  Connection Connect(const char* from) {
    Connection made;
    made.client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in own{.sin_family = AF_INET};
    inet_pton(AF_INET, from, &own.sin_addr);
    EXPECT_EQ(::bind(made.client.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
    sockaddr_storage target{};
    socklen_t length = sizeof target;
    ::getsockname(listener_.sockets.front().get(), reinterpret_cast<sockaddr*>(&target), &length);
    EXPECT_EQ(::connect(made.client.get(), reinterpret_cast<const sockaddr*>(&target), length), 0);
    pollfd polled{listener_.sockets.front().get(), POLLIN, 0};
    ::poll(&polled, 1, 10'000);
    length = sizeof made.peer;
    made.server.reset(::accept4(polled.fd, reinterpret_cast<sockaddr*>(&made.peer), &length, SOCK_CLOEXEC));
    made.name = std::string("ipv4:") + from + ":" + std::to_string(ntohs(reinterpret_cast<sockaddr_in&>(made.peer).sin_port));
    return made;
  }
  // Whether it was let in.
  bool Admit(const char* from, size_t total = kTotal) {
    Connection made = Connect(from);
    if (!table_.Admit(made.peer, kPerAddress, total)) return false;
    table_.Add(made.peer, made.server.get());
    connections_.push_back(std::move(made));
    return true;
  }
  bool Ended(size_t index) const {
    pollfd polled{connections_[index].client.get(), POLLIN, 0};
    return ::poll(&polled, 1, 0) > 0;
  }
  // The server has answered its hello.
  void Answer(size_t index) { EXPECT_EQ(::send(connections_[index].server.get(), "hello", 5, MSG_NOSIGNAL), 5); }

  testing::MovableClock clock_;
  const base::Listener listener_ = *base::Listen("127.0.0.1:0");
  ConnectionTable table_{clock_};
  std::vector<Connection> connections_;
};

TEST_F(ConnectionTableTest, FaultD4UnfinishedHandshakesHaveHalfAndTheOldestGivesWay) {
  for (size_t i = 0; i < kPerAddress / 2; ++i) ASSERT_TRUE(Admit("127.0.0.1"));
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_TRUE(Admit("127.0.0.1"));
    EXPECT_TRUE(Ended(i)) << i;
    EXPECT_FALSE(Ended(i + 1)) << i;
  }
}

TEST_F(ConnectionTableTest, FaultD4EstablishedConnectionsAreNeverEndedForOthers) {
  for (size_t i = 0; i < kPerAddress; ++i) {
    ASSERT_TRUE(Admit("127.0.0.1"));
    table_.OnServed(connections_.back().name);
  }
  EXPECT_FALSE(Admit("127.0.0.1")) << "the address is full";
  for (size_t i = 0; i < kPerAddress; ++i) EXPECT_FALSE(Ended(i)) << i;
  EXPECT_TRUE(Admit("127.0.0.2")) << "and others are not";
  connections_.front().server.reset();
  EXPECT_TRUE(Admit("127.0.0.1")) << "a place that is free again";
}

TEST_F(ConnectionTableTest, FaultD4WhoHasSentHalfAHelloGivesWayBeforeWhoWasAnswered) {
  for (size_t i = 0; i < kPerAddress / 2; ++i) ASSERT_TRUE(Admit("127.0.0.1"));
  Answer(0);
  ASSERT_TRUE(Admit("127.0.0.1"));
  EXPECT_TRUE(Ended(1)) << "the oldest that was not answered";
}

TEST_F(ConnectionTableTest, FaultD4ManyAddressesTogetherLockNobodyOut) {
  constexpr size_t kFew = 16;
  for (const char* from : {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"}) {
    for (size_t i = 0; i < kPerAddress; ++i) EXPECT_TRUE(Admit(from, kFew));
  }
  EXPECT_LE(table_.size(), kFew);
  EXPECT_TRUE(Admit("127.0.0.1", kFew));
  EXPECT_FALSE(Ended(connections_.size() - 1));
}

TEST_F(ConnectionTableTest, OlderThanAHandshakeIsEstablished) {
  for (size_t i = 0; i < kPerAddress / 2; ++i) ASSERT_TRUE(Admit("127.0.0.1"));
  clock_.Advance(kHandshakeLimit + 1);
  EXPECT_TRUE(Admit("127.0.0.1"));
  for (size_t i = 0; i < connections_.size(); ++i) EXPECT_FALSE(Ended(i)) << i;
}

}  // namespace
}  // namespace jobd::server
