// That the linker has put each of our functions before gRPC's, and that connections and calls are counted to the last.
#include "server/grpc/connections/transport_watch.h"

#include <grpcpp/generic/async_generic_service.h>
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/auth/access.h"
#include "server/grpc/connections/connection_guard.h"
#include "server/grpc/credentials.h"
#include "server/grpc/rpc_server.h"
#include "server/grpc/tls_policy.h"
#include "server/grpc/unknown_methods.h"
#include "server/ops/heap_trimmer.h"
#include "tests/support/h2/raw_h2.h"
#include "tests/unit/server/api_fixture.h"

namespace jobd::server {
namespace {

using test::RawH2;

// Keeps every call until the client or the connection ends it.
class Keeper final : public grpc::CallbackGenericService {
  class Call final : public grpc::ServerGenericBidiReactor {
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }
  };
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* /*context*/) override { return new Call; }
};

class TransportWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    static const base::Status applied = ApplyTlsPolicy();
    ASSERT_TRUE(applied.ok());
    const testing::Issued server = ca_.Server();
    auto material = CheckTlsFiles({.ca = ca_.pem(), .cert = server.cert, .key = server.key}, clock_.Realtime());
    ASSERT_TRUE(material.ok());
    tls_ = std::make_unique<TlsState>(std::make_shared<const TlsMaterial>(*std::move(material)));
  }
  void Serve(std::unique_ptr<grpc::CallbackGenericService> service) {
    auto started = RpcServer::Start({.listener = *base::Listen("127.0.0.1:0"), .connections = table_, .guard = guard_},
                                    MakeServerCredentials(*tls_, guard_), {}, std::move(service));
    ASSERT_TRUE(started.ok()) << started.error().message();
    server_ = *std::move(started);
  }
  std::unique_ptr<RawH2> Raw() {
    const testing::Issued client = ca_.User("viewer");
    return RawH2::Connect(server_->address(), {client.cert, client.key});
  }
  // What must become true does so while another client's connection is made and used.
  template <typename Condition>
  bool Eventually(Condition condition) {
    for (int i = 0; i < 2000; ++i) {
      if (condition()) return true;
      const auto raw = Raw();
      if (raw == nullptr || !raw->Flush()) return false;
      raw->ReadUntil([&] { return raw->frames_of(0) > 0; });
    }
    return condition();
  }
  std::string Ended() {
    const std::lock_guard lock(mutex_);
    return ended_.empty() ? "" : ended_.back();
  }

  testing::TestCa ca_;
  const base::SystemClock clock_;
  AccessControl access_{std::make_shared<AccessRules>(), clock_};
  ConnectionTable table_{clock_};
  HeapTrimmer heap_;
  std::mutex mutex_;
  std::vector<std::string> ended_;
  ConnectionGuard guard_{access_, table_, heap_, clock_, [this](auto peer, auto who, auto why) {
                           const std::lock_guard lock(mutex_);
                           ended_.push_back(std::string(peer) + " " + std::string(who) + " " + std::string(why));
                         }};
  std::unique_ptr<TlsState> tls_;
  std::unique_ptr<RpcServer> server_;
};

TEST_F(TransportWatchTest, FaultD2CallsAndConnectionsAreCountedUntilTheyAreGone) {
  Serve(std::make_unique<Keeper>());
  auto raw = Raw();
  ASSERT_NE(raw, nullptr);
  std::vector<uint32_t> streams;
  for (int i = 0; i < 100; ++i) streams.push_back(raw->Headers("/a/Method"));
  ASSERT_TRUE(raw->Flush());
  EXPECT_TRUE(Eventually([&] { return guard_.calls() == 100; })) << guard_.calls();
  EXPECT_GE(guard_.connections(), 1u);
  for (int i = 0; i < 50; ++i) raw->Reset(streams[static_cast<size_t>(i)]);
  ASSERT_TRUE(raw->Flush());
  EXPECT_TRUE(Eventually([&] { return guard_.calls() == 50; })) << guard_.calls();
  raw->Cut();
  EXPECT_TRUE(Eventually([&] { return guard_.calls() == 0; })) << guard_.calls();
  EXPECT_TRUE(Eventually([&] { return guard_.connections() <= 1; })) << guard_.connections();
  EXPECT_EQ(Ended(), "");
}

TEST_F(TransportWatchTest, FaultD2MoreCallsThanAConnectionMayHaveEndIt) {
  Serve(std::make_unique<Keeper>());
  const auto raw = Raw();
  ASSERT_NE(raw, nullptr);
  for (uint32_t i = 0; i < 4 * ConnectionGuard::kMaxOfConnection; ++i) (void)raw->Headers("/a/Method");
  raw->Flush();
  EXPECT_TRUE(raw->ReadUntil([] { return false; }));
  EXPECT_TRUE(raw->over());
  EXPECT_NE(Ended().find("spiffe://jobd/user/viewer it has more calls"), std::string::npos) << Ended();
  EXPECT_EQ(Ended().find("ipv4:127.0.0.1:"), 0u) << Ended();
  EXPECT_TRUE(Eventually([&] { return guard_.calls() == 0; })) << guard_.calls();
}

// Each way to have a call taken back, a few at a time so that it is not their number which ends the connection.
TEST_F(TransportWatchTest, FaultD2CallsThatAreTakenBackEndTheirConnection) {
  Serve(std::make_unique<Keeper>());
  const auto reset = [](RawH2& raw) { raw.Reset(raw.Headers("/a/Method")); };
  const auto after_its_end = [](RawH2& raw) { raw.Message(raw.Headers("/a/Method", true), "x"); };
  const auto too_long = [](RawH2& raw) {
    // More than the stream's window.
    const uint32_t stream = raw.Headers("/a/Method");
    for (int i = 0; i < 8; ++i) raw.Frame(RawH2::Type::kData, 0, stream, std::string(16384, 'x'));
  };
  for (const std::function<void(RawH2&)>& provoke : {std::function<void(RawH2&)>(reset), {after_its_end}, {too_long}}) {
    const auto raw = Raw();
    ASSERT_NE(raw, nullptr);
    for (int round = 0; round < 1000 && !raw->over(); ++round) {
      for (int i = 0; i < 20; ++i) provoke(*raw);
      if (!raw->Flush()) break;
      raw->ReadUntil([&] { return guard_.calls() < 100; }, 100);
    }
    EXPECT_TRUE(raw->ReadUntil([] { return false; }));
    EXPECT_TRUE(raw->over());
  }
}

TEST_F(TransportWatchTest, WhatIsStillOnItsWayOnAStreamThatIsTakenBackIsOneMisuse) {
  Serve(std::make_unique<Keeper>());
  const auto raw = Raw();
  ASSERT_NE(raw, nullptr);
  const uint32_t stream = raw->Headers("/a/Method");
  for (int i = 0; i < 4000; ++i) raw->Frame(RawH2::Type::kData, 0, stream, std::string(1000, 'x'));
  raw->Frame(RawH2::Type::kPing, 0, 0, "12345678");
  EXPECT_TRUE(raw->Flush());
  // Two at the beginning, and what comes behind them.
  EXPECT_TRUE(raw->ReadUntil([&] { return raw->frames_of(0) > 2; }));
  EXPECT_FALSE(raw->over());
  EXPECT_EQ(Ended(), "");
}

TEST_F(TransportWatchTest, FaultD2UnknownMethodsWithoutEndEndTheirConnection) {
  Serve(MakeUnknownMethods(access_, guard_, nullptr));
  const auto raw = Raw();
  ASSERT_NE(raw, nullptr);
  for (int i = 0; i < 20'000 && raw->Flush(); ++i) {
    const uint32_t last = raw->Headers("/a/Method", true);
    if (i % 10 == 0) raw->ReadUntil([&] { return i < 100 || raw->ended(last - 200); });
  }
  EXPECT_TRUE(raw->over());
  EXPECT_NE(Ended().find("asks for what it cannot have"), std::string::npos) << Ended();
}

TEST_F(TransportWatchTest, FaultD2PingsWithoutEndEndTheirConnection) {
  Serve(std::make_unique<Keeper>());
  const auto raw = Raw();
  ASSERT_NE(raw, nullptr);
  for (int i = 0; i < 20'000; ++i) raw->Frame(RawH2::Type::kPing, 0, 0, "12345678");
  raw->Flush();
  EXPECT_TRUE(raw->ReadUntil([] { return false; }));
  EXPECT_TRUE(raw->over());
  EXPECT_NE(Ended(), "");
}

TEST_F(TransportWatchTest, FaultD2HeadersWithoutEndEndTheirConnection) {
  Serve(std::make_unique<Keeper>());
  const auto raw = Raw();
  ASSERT_NE(raw, nullptr);
  raw->Frame(RawH2::Type::kHeaders, 0, 1, "\x83\x87");
  for (int i = 0; i < 1000; ++i) raw->Frame(RawH2::Type::kContinuation, 0, 1, "\x40\x01x\x7f\x81\x1e" + std::string(3968, 'x'));
  raw->Flush();
  EXPECT_TRUE(raw->ReadUntil([] { return false; }));
  EXPECT_TRUE(raw->over());
  EXPECT_NE(Ended().find("headers"), std::string::npos) << Ended();
}

// An entry of the table, 32 + 5 + 123 bytes, and so often named: a byte each time.
std::string Entries(size_t times) { return "\x83\x87\x40\x05x-abc\x7b" + std::string(123, 'x') + std::string(times, '\xbe'); }

// The client has not acknowledged our SETTINGS, and is held to them all the same.
TEST_F(TransportWatchTest, FaultD2HeadersThatComeToTooMuchEndTheirConnection) {
  Serve(std::make_unique<Keeper>());
  const auto in_one_frame = [](RawH2& raw) { raw.Frame(RawH2::Type::kHeaders, 0x4, 1, Entries(2000)); };
  const auto in_many_frames = [](RawH2& raw) {
    raw.Frame(RawH2::Type::kHeaders, 0, 1, Entries(40));
    raw.Frame(RawH2::Type::kContinuation, 0x4, 1, std::string(40, '\xbe'));
  };
  const auto as_trailers = [](RawH2& raw) { raw.Frame(RawH2::Type::kHeaders, 0x5, raw.Headers("/a/Method"), Entries(2000)); };
  for (const std::function<void(RawH2&)>& send : {std::function<void(RawH2&)>(in_one_frame), {in_many_frames}, {as_trailers}}) {
    const auto raw = Raw();
    ASSERT_NE(raw, nullptr);
    send(*raw);
    EXPECT_TRUE(raw->Flush());
    EXPECT_TRUE(raw->ReadUntil([] { return false; }));
    EXPECT_TRUE(raw->over());
    EXPECT_NE(Ended().find("come to too much"), std::string::npos) << Ended();
    const std::lock_guard lock(mutex_);
    ended_.clear();
  }
}

TEST_F(TransportWatchTest, HeadersOfWhatIsAllowedMayComeInManyFrames) {
  Serve(std::make_unique<Keeper>());
  const auto raw = Raw();
  ASSERT_NE(raw, nullptr);
  for (int i = 0; i < 20; ++i) {
    const uint32_t stream = raw->Headers("/a/Method");
    raw->Frame(RawH2::Type::kHeaders, 0x1, stream, Entries(20));
    for (const bool last : {false, false, true})
      raw->Frame(RawH2::Type::kContinuation, last ? 0x4 : 0, stream, std::string(6, '\xbe'));
  }
  raw->Frame(RawH2::Type::kPing, 0, 0, "12345678");
  ASSERT_TRUE(raw->Flush());
  EXPECT_TRUE(raw->ReadUntil([&] { return raw->frames_of(0) > 2; }));
  EXPECT_FALSE(raw->over());
  EXPECT_EQ(Ended(), "");
}

TEST_F(TransportWatchTest, AClientInTheSameProcessAndAServerThatIsGoneAreNotWatched) {
  Serve(std::make_unique<Keeper>());
  const auto raw = Raw();
  ASSERT_NE(raw, nullptr);
  (void)raw->Headers("/a/Method");
  ASSERT_TRUE(raw->Flush());
  EXPECT_TRUE(Eventually([&] { return guard_.calls() == 1; }));
  server_.reset();
  EXPECT_TRUE(raw->ReadUntil([] { return false; }));
}

}  // namespace
}  // namespace jobd::server
