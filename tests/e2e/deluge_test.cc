// Floods of connections, calls and bytes, by a client that keeps to nothing: the service stays small, gives memory back, and others
// are served.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <thread>

#include "jobd/v1/auth_service.grpc.pb.h"
#include "tests/e2e/api/api.h"
#include "tests/e2e/harness/suite.h"
#include "tests/support/h2/raw_h2.h"

namespace jobd::e2e {
namespace {

using test::RawH2;
using Milliseconds = std::chrono::milliseconds;

constexpr uint64_t kMiB = 1 << 20;

// JOBD_FLOOD has each flood last so many times as long: for measuring.
int Times() {
  const char* const asked = std::getenv("JOBD_FLOOD");
  return asked == nullptr ? 1 : std::max(1, std::atoi(asked));
}
constexpr const char* kWhoAmI = "/jobd.v1.AuthService/WhoAmI";
constexpr const char* kSubmit = "/jobd.v1.JobScheduleService/SubmitBatch";
constexpr const char* kWatch = "/grpc.health.v1.Health/Watch";
constexpr const char* kUnknown = "/no.such/Method";
constexpr const char* kReflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

// Somebody else, who calls again and again as long as it lives, and how long each call took.
class Bystander {
 public:
  explicit Bystander(const Daemon& daemon) : channel_(Connect(daemon, "operator2")), thread_([this] { Run(); }) {}
  ~Bystander() { Finish(); }

  // The calls' 99th percentile.
  Milliseconds Finish() {
    done_ = true;
    if (thread_.joinable()) thread_.join();
    if (took_.empty()) return Milliseconds::max();
    std::ranges::sort(took_);
    return took_[took_.size() * 99 / 100];
  }
  size_t calls() const { return took_.size(); }
  int failed() const { return failed_; }
  Milliseconds worst() const { return took_.empty() ? Milliseconds(0) : took_.back(); }

 private:
  void Run() {
    const auto stub = v1::AuthService::NewStub(channel_);
    while (!done_) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + Seconds(20));
      v1::WhoAmIResponse response;
      const auto begin = std::chrono::steady_clock::now();
      if (!stub->WhoAmI(&context, {}, &response).ok()) ++failed_;
      took_.push_back(std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin));
    }
  }

  const std::shared_ptr<grpc::Channel> channel_;
  std::atomic<bool> done_ = false;
  std::vector<Milliseconds> took_;
  int failed_ = 0;
  std::thread thread_;
};

class DelugeTest : public DaemonSuite<DelugeTest> {
 public:
  static DaemonOptions Options() { return {"[limits]\nmax_running = 2\n", {}, ""}; }

 protected:
  static std::unique_ptr<RawH2> Raw(const std::string& user, const std::string& from = "") {
    const std::string file = daemon_->CertDir() + "/" + user;
    return RawH2::Connect(daemon_->Address(), {ReadFileOrEmpty(file + ".crt"), ReadFileOrEmpty(file + ".key")}, from);
  }
  static uint64_t Memory() { return MemoryOf(daemon_->ServerPid(), "VmRSS"); }

  // Connections from several addresses, as one has only so many places.
  static std::vector<std::unique_ptr<RawH2>> Many(const std::string& user, int count) {
    std::vector<std::unique_ptr<RawH2>> made;
    for (int i = 0; i < count; ++i) {
      if (auto raw = Raw(user, "127.0.0." + std::to_string(2 + i / 100))) made.push_back(std::move(raw));
    }
    return made;
  }
  // Does the same by so many connections at once, each time anew when the server ends one, until `count` frames or calls went out.
  // `send` is to send one, the i-th of its connection.
  template <typename Send>
  static void FromConnections(const std::string& user, int connections, int count, Send send) {
    count *= Times();
    std::atomic<int> sent = 0;
    std::vector<std::thread> clients;
    for (int client = 0; client < connections; ++client) {
      clients.emplace_back([&] {
        for (int attempt = 0; sent < count && attempt < 2000 * Times(); ++attempt) {
          const auto raw = Raw(user);
          if (!raw) continue;
          for (int i = 0; sent < count && !raw->over();) {
            for (int j = 0; j < 500; ++j, ++i) send(*raw, i);
            sent += 500;
            raw->Flush(2000);
          }
        }
      });
    }
    for (std::thread& client : clients) client.join();
    EXPECT_GE(sent, count);
  }

  // The slowest of some calls while nothing else happens, which says how busy the machine is with others' work.
  static Milliseconds SlowestAtRest() {
    const auto stub = v1::AuthService::NewStub(Connect(*daemon_, "operator2"));
    Milliseconds slowest(0);
    for (int i = 0; i < 30; ++i) {
      grpc::ClientContext context;
      v1::WhoAmIResponse response;
      const auto begin = std::chrono::steady_clock::now();
      EXPECT_TRUE(stub->WhoAmI(&context, {}, &response).ok());
      slowest = std::max(slowest, std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin));
    }
    return slowest;
  }

  // Floods while somebody else is served.
  template <typename Work>
  static void Flood(const char* what, Work work) {
    const pid_t server = daemon_->ServerPid();
    const auto at_rest = SlowestAtRest();
    const uint64_t before = Memory();
    WriteFile("/proc/" + std::to_string(server) + "/clear_refs", "5");  // proc(5): the peak starts anew
    Bystander other(*daemon_);
    const auto begin = std::chrono::steady_clock::now();
    work();
    const auto took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin);
    const auto slow = other.Finish();
    const uint64_t most = MemoryOf(server, "VmHWM");
    EXPECT_TRUE(WaitUntil([&] { return Memory() < before + 48 * kMiB; }, Seconds(20))) << "it gives memory back";
    std::printf("%s: %ld ms; server %lu MiB before, %lu at most, %lu after; %zu calls of another, p99 %ld ms, worst %ld ms\n", what,
                static_cast<long>(took.count()), before / kMiB, most / kMiB, Memory() / kMiB, other.calls(),
                static_cast<long>(slow.count()), static_cast<long>(other.worst().count()));
    EXPECT_LT(most, 256 * kMiB) << what;
    // A second, where the machine is ours.
    EXPECT_LT(slow, Milliseconds(1000) + 50 * at_rest) << what << ": " << at_rest.count() << " ms at rest";
    EXPECT_EQ(other.failed(), 0) << what;
    EXPECT_EQ(daemon_->ServerPid(), server) << what;
  }
};

TEST_F(DelugeTest, FaultD2AHundredThousandRapidResets) {
  for (const char* path : {kWhoAmI, kReflection, kSubmit, kWatch, kUnknown}) {
    Flood(path, [&] {
      int sent = 0;
      for (int connection = 0; sent < 100'000 && connection < 1000; ++connection) {
        const auto raw = Raw("viewer");
        if (!raw) continue;
        while (sent < 100'000 && !raw->over()) {
          for (int i = 0; i < 1000; ++i, ++sent) raw->Reset(raw->Headers(path));
          raw->Flush(2000);
        }
      }
      EXPECT_GE(sent, 100'000);
    });
  }
}

TEST_F(DelugeTest, FaultD2AHundredThousandRapidResetsOfSixteenConnectionsAtOnce) {
  for (const char* path : {kWhoAmI, kUnknown, kWatch}) {
    Flood(path, [&] { FromConnections("viewer", 16, 100'000, [&](RawH2& raw, int) { raw.Reset(raw.Headers(path)); }); });
  }
}

// Each below what a connection may have, and all of them together.
TEST_F(DelugeTest, FaultD2ThreeHundredConnectionsThatWereOpenBefore) {
  auto connections = Many("viewer", 300);
  ASSERT_GT(connections.size(), 250u);
  Flood("300 x 400 calls", [&] {
    for (const auto& raw : connections) {
      for (int i = 0; i < 400; ++i) (void)raw->Headers(kWhoAmI);
    }
    for (const auto& raw : connections) raw->Flush(500);
    for (const auto& raw : connections) raw->Flush(500);
    EXPECT_EQ(daemon_->Do({"list"}, "operator").code(), 0);
  });
}

// Calls that the server itself has to reset, because of what comes on them: no RST_STREAM of the client's is counted.
TEST_F(DelugeTest, FaultD2ResetsThatTheClientProvokes) {
  const auto provoke = [](RawH2& raw, int i) {
    const uint32_t stream = raw.Headers(kWatch, i % 3 == 0);
    switch (i % 3) {
      case 0: raw.Message(stream, ""); break;                                                 // after its end
      case 1: raw.Frame(RawH2::Type::kWindowUpdate, 0, stream, std::string(4, '\0')); break;  // of nothing
      default: raw.Frame(RawH2::Type::kHeaders, 0x4, stream, "\x83\x87"); break;              // no trailers
    }
  };
  Flood("provoked, 1 connection at a time", [&] { FromConnections("viewer", 1, 30'000, provoke); });
  Flood("provoked, 16 connections", [&] { FromConnections("viewer", 16, 100'000, provoke); });
}

TEST_F(DelugeTest, FaultD2AHundredThousandCallsOfUnknownMethods) {
  const auto call = [](RawH2& raw, int) { (void)raw.Headers(kUnknown, true); };
  Flood("unknown, 1 connection at a time", [&] { FromConnections("viewer", 1, 100'000, call); });
  Flood("unknown, 16 connections", [&] { FromConnections("viewer", 16, 100'000, call); });
}

TEST_F(DelugeTest, FaultD2CallsWhoseAnswersNobodyReads) {
  Flood("answers, 16 connections",
        [&] { FromConnections("viewer", 16, 60'000, [](RawH2& raw, int) { raw.Message(raw.Headers(kWhoAmI), "", true); }); });
}

// Frames that begin no call: whatever their kind, they take time and nothing else.
TEST_F(DelugeTest, FaultD2FramesThatBeginNothing) {
  struct Kind {
    const char* name;
    int count;
    std::function<void(RawH2&, int)> send;
  };
  const std::string setting("\x00\x04\x00\x01\x00\x00", 6);
  const Kind kinds[] = {
      {"SETTINGS", 400'000, [&](RawH2& raw, int i) { raw.Frame(RawH2::Type::kSettings, 0, 0, i % 2 == 0 ? "" : setting); }},
      {"PING", 400'000, [](RawH2& raw, int) { raw.Frame(RawH2::Type::kPing, 0, 0, "12345678"); }},
      {"PING ack", 400'000, [](RawH2& raw, int) { raw.Frame(RawH2::Type::kPing, 1, 0, "12345678"); }},
      {"PRIORITY", 400'000, [](RawH2& raw, int) { raw.Frame(RawH2::Type::kPriority, 0, 1, std::string(5, '\1')); }},
      {"WINDOW_UPDATE", 400'000, [](RawH2& raw, int) { raw.Frame(RawH2::Type::kWindowUpdate, 0, 0, std::string("\0\0\0\1", 4)); }},
      {"RST_STREAM of nothing", 400'000, [](RawH2& raw, int i) { raw.Reset(static_cast<uint32_t>(2 * i + 1)); }},
      {"unknown frames", 400'000, [](RawH2& raw, int) { raw.Frame(static_cast<RawH2::Type>(0x42), 0, 0, "?"); }},
      {"empty DATA", 400'000,
       [](RawH2& raw, int i) {
         if (i == 0) (void)raw.Headers(kSubmit);
         raw.Frame(RawH2::Type::kData, 0, 1, "");
       }},
      {"empty CONTINUATION", 400'000,
       [](RawH2& raw, int i) {
         if (i == 0) raw.Frame(RawH2::Type::kHeaders, 0, 1, "\x83\x87");
         raw.Frame(RawH2::Type::kContinuation, 0, 1, "");
       }},
      {"CONTINUATION of headers", 20'000,
       [](RawH2& raw, int i) {
         if (i == 0) raw.Frame(RawH2::Type::kHeaders, 0, 1, "\x83\x87");
         raw.Frame(RawH2::Type::kContinuation, 0, 1, "\x40\x05x-big\x7f\x81\x1e" + std::string(3968, 'x'));
       }},
      // One entry of the table, which takes a byte each time it is named.
      {"headers of one byte", 2'000,
       [](RawH2& raw, int i) {
         raw.Frame(RawH2::Type::kHeaders, 0x4, static_cast<uint32_t>(2 * i + 1),
                   (i == 0 ? "\x40\x05x-big\x7f\x81\x1e" + std::string(3968, 'x') : "") + std::string(16'000, '\xbe'));
       }},
  };
  for (const Kind& kind : kinds) {
    Flood(kind.name, [&] { FromConnections("viewer", 16, kind.count, kind.send); });
  }
}

// What a client has to say of a call, of `more` behind it: in frames as long as they may be.
void Block(RawH2& raw, uint32_t stream, const std::string& block, uint8_t flags = 0) {
  constexpr size_t kMost = 16384;
  for (size_t at = 0; at == 0 || at < block.size(); at += kMost) {
    raw.Frame(at == 0 ? RawH2::Type::kHeaders : RawH2::Type::kContinuation, at + kMost < block.size() ? 0 : flags | 0x4, stream,
              block.substr(at, kMost));
  }
}
const std::string kCall =
    std::string("\x83\x87\x01\x01h\x04\x04/x/y\x0f\x10\x10") + "application/grpc" + std::string("\0\x02te\x08trailers", 13);
// An entry of the table that is `size` bytes long with what is counted for it, and so often named.
std::string Entry(size_t size, size_t times) {
  return "\x40\x01x" + std::string(1, static_cast<char>(size - 33)) + std::string(size - 33, 'y') + std::string(times, '\xbe');
}
const std::string kFull = Entry(33, 7 * 1024 / 33);

// What takes a byte on its way and a hundred where it is kept, by a client that has not acknowledged our SETTINGS.
TEST_F(DelugeTest, FaultD2HeadersThatGrowWhenTheyAreDecoded) {
  struct Kind {
    const char* name;
    int count;
    int each;
    std::function<void(RawH2&, uint32_t)> send;
  };
  const Kind kinds[] = {
      {"a block of 1 MiB", 10'000, 20, [](RawH2& raw, uint32_t stream) { Block(raw, stream, kCall + Entry(64, 16'000)); }},
      {"a block of 1 MiB, unended", 10'000, 20,
       [](RawH2& raw, uint32_t stream) { raw.Frame(RawH2::Type::kHeaders, 0, stream, kCall + Entry(64, 16'000)); }},
      {"30 frames of 7 KiB", 10'000, 20,
       [](RawH2& raw, uint32_t stream) {
         raw.Frame(RawH2::Type::kHeaders, 0, stream, kCall + kFull);
         for (int i = 0; i < 29; ++i) raw.Frame(RawH2::Type::kContinuation, i == 28 ? 0x4 : 0, stream, std::string(215, '\xbe'));
       }},
      {"trailers of 1 MiB", 10'000, 20,
       [](RawH2& raw, uint32_t stream) {
         Block(raw, stream, kCall);
         Block(raw, stream, Entry(64, 16'000), 0x1);
       }},
      {"what is allowed", 20'000, 1, [](RawH2& raw, uint32_t stream) { Block(raw, stream, kCall + kFull); }},
      {"what is allowed, and as trailers", 20'000, 1,
       [](RawH2& raw, uint32_t stream) {
         Block(raw, stream, kCall + kFull);
         Block(raw, stream, kFull, 0x1);
       }},
      {"Huffman", 10'000, 20,
       [](RawH2& raw, uint32_t stream) { Block(raw, stream, kCall + "\x40\x01z\xff\xc5\x4d" + std::string(10'052, '\x18')); }},
      {"sizes of the table", 20'000, 1,
       [](RawH2& raw, uint32_t stream) { Block(raw, stream, "\x20\x3f\xe1\x1f" + kCall + kFull); }},
  };
  for (const Kind& kind : kinds) {
    Flood(kind.name, [&] {
      FromConnections("viewer", 16, kind.count, [&](RawH2& raw, int i) {
        if (i % kind.each == 0) kind.send(raw, static_cast<uint32_t>(2 * i + 1));
      });
    });
  }
}

TEST_F(DelugeTest, FaultD2HeadersThatAreKeptByManyConnections) {
  auto connections = Many("viewer", 100);
  ASSERT_GT(connections.size(), 90u);
  Flood("100 x 60 calls with all the headers that they may have", [&] {
    for (const auto& raw : connections) {
      for (uint32_t i = 0; i < 60; ++i) {
        Block(*raw, 2 * i + 1, kCall + kFull);
        Block(*raw, 2 * i + 1, kFull, 0x1);
      }
      raw->Flush(500);
    }
    EXPECT_EQ(daemon_->Do({"list"}, "operator").code(), 0);
  });
  auto more = Many("viewer", 256);
  Flood("256 halves of a header", [&] {
    for (const auto& raw : more) {
      raw->Frame(RawH2::Type::kHeaders, 0, 1, kCall + std::string("\x40\x01z\x7f\xf5\xfb\x01", 7) + std::string(16'000, 'z'));
      raw->Frame(RawH2::Type::kContinuation, 0, 1, std::string(16'000, 'z'));
      raw->Flush(500);
    }
    EXPECT_EQ(daemon_->Do({"list"}, "operator").code(), 0);
  });
}

TEST_F(DelugeTest, FaultD3TwentyThousandStreamsThatNobodyCloses) {
  Flood("20,000 Watch", [] {
    const auto raw = Raw("viewer");
    ASSERT_NE(raw, nullptr);
    for (int i = 0; i < 20'000 && !raw->over(); ++i) {
      const uint32_t stream = raw->Headers(kWatch);
      raw->Message(stream, "", true);
      if (i % 100 == 99) raw->Flush(5000);
    }
    // And is deaf from now on, until the flood is over.
    EXPECT_EQ(daemon_->Do({"list"}, "operator").code(), 0);
  });
}

TEST_F(DelugeTest, FaultD5SixteenSubmissionsOfNothingButEmptyJobs) {
  std::string empty_jobs;
  while (empty_jobs.size() < (4u << 20) - 64) empty_jobs += std::string("\x12\x00", 2);
  Flood("16 x 4 MiB", [&] {
    std::vector<std::thread> clients;
    for (int client = 0; client < 16; ++client) {
      clients.emplace_back([&] {
        const auto raw = Raw("operator");
        ASSERT_NE(raw, nullptr);
        const uint32_t stream = raw->Headers(kSubmit);
        // As much as a stream may send unasked, and the rest when there is a window for it: who sends more is ended for that.
        constexpr size_t kFirst = 32 << 10;
        raw->Message(stream, empty_jobs, false, kFirst);
        raw->Flush(20'000);
        raw->ReadUntil([&] { return raw->frames_of(stream) > 0; });
        for (size_t at = kFirst - 5; at < empty_jobs.size(); at += kFirst / 2) {
          const std::string piece = empty_jobs.substr(at, kFirst / 2);
          raw->Frame(RawH2::Type::kData, at + piece.size() == empty_jobs.size() ? 1 : 0, stream, piece);
        }
        raw->Flush(20'000);
        raw->ReadUntil([&] { return raw->ended_streams() == 1; });
        EXPECT_EQ(raw->ended_streams(), 1u);
      });
    }
    for (std::thread& client : clients) client.join();
  });
}

TEST_F(DelugeTest, FaultD5MessagesThatNeverGetWhole) {
  const std::string message(3 << 20, 'x');
  Flood("256 x 3 of 4 MiB", [&] {
    std::vector<std::unique_ptr<RawH2>> connections;
    for (int i = 0; i < 64; ++i) {
      auto raw = Raw("operator");
      if (!raw) break;
      for (int j = 0; j < 4; ++j) raw->Message(raw->Headers(kSubmit), message, false, (3u << 20) - 1000);
      raw->Flush(300);
      connections.push_back(std::move(raw));
    }
    EXPECT_EQ(daemon_->Do({"list"}, "operator2").code(), 0);
  });
}

}  // namespace
}  // namespace jobd::e2e
