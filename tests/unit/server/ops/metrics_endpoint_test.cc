// Who asks for metrics is answered, whoever else is connected.
#include "server/ops/metrics_endpoint.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/listener.h"

namespace jobd::server {
namespace {

class MetricsEndpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto listener = base::Listen("127.0.0.1:0");
    ASSERT_TRUE(listener.ok());
    address_ = listener->address;
    auto endpoint = MetricsEndpoint::Start(std::move(listener->sockets.front()), [] { return std::string("jobd_up 1\n"); });
    ASSERT_TRUE(endpoint.ok()) << endpoint.error().message();
    endpoint_ = *std::move(endpoint);
  }

  base::Fd Connect() const {
    auto socket = base::ConnectTo(address_, 20'000);
    EXPECT_TRUE(socket.ok());
    return socket.ok() ? *std::move(socket) : base::Fd();
  }
  static void Send(const base::Fd& socket, const std::string& text) {
    EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // All that comes until the end.
  static std::string Read(const base::Fd& socket) {
    std::string all;
    char bytes[4096];
    for (ssize_t count = 0; (count = ::recv(socket.get(), bytes, sizeof bytes, 0)) > 0;) {
      all.append(bytes, static_cast<size_t>(count));
    }
    return all;
  }
  std::string Scrape() const {
    const base::Fd socket = Connect();
    Send(socket, "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
    return Read(socket);
  }

  std::string address_;
  std::unique_ptr<MetricsEndpoint> endpoint_;
};

TEST_F(MetricsEndpointTest, FaultD25IdleConnectionsDoNotDelayAScrape) {
  // Some say nothing at all, and some never come to the end of their request.
  std::vector<base::Fd> idle;
  for (int i = 0; i < 600; ++i) {
    idle.push_back(Connect());
    // It may have had to give way by now.
    if (i % 2 == 0) (void)::send(idle.back().get(), "GET /met", 8, MSG_NOSIGNAL);
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_NE(Scrape().find("jobd_up 1"), std::string::npos);
  // A connection that says nothing has two seconds, so waiting for any to end would show.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1500));
}

TEST_F(MetricsEndpointTest, AnswersThatNobodyTakesDoNotKeepItFromOthersForLong) {
  std::vector<base::Fd> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(Connect());
    (void)::send(slow.back().get(), "GET /metrics HTTP/1.1\r\n\r\n", 25, MSG_NOSIGNAL);
  }
  EXPECT_NE(Scrape().find("jobd_up 1"), std::string::npos);
}

}  // namespace
}  // namespace jobd::server
