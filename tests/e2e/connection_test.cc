// Connections: silent, half open, too many, without descriptors left, cut, outlived by their certificate, and all at once at the
// end of the service.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>
#include <map>

#include "tests/e2e/api/api.h"
#include "tests/e2e/harness/suite.h"

namespace jobd::e2e {
namespace {

constexpr int kMaxConnections = 64;
constexpr int kMaxStreams = 100;

class ConnectionTest : public DaemonSuite<ConnectionTest> {
 public:
  static DaemonOptions Options() {
    return {"[limits]\nmax_running = 4\nmax_connections_per_address = " + std::to_string(kMaxConnections) +
                "\nmax_streams_per_user = " + std::to_string(kMaxStreams) + "\n",
            {},
            ""};
  }

 protected:
  // A connection from any address of this machine's that begins a handshake with `bytes` and says nothing more.
  static base::Fd Silent(const char* from, const std::string& bytes) {
    base::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in own{.sin_family = AF_INET};
    ::inet_pton(AF_INET, from, &own.sin_addr);
    sockaddr_in peer{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(daemon_->Port()))};
    ::inet_pton(AF_INET, "127.0.0.1", &peer.sin_addr);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer), 0);
    if (!bytes.empty()) (void)::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return socket;
  }
  static bool IsClosed(const base::Fd& socket) {
    pollfd polled{socket.get(), POLLIN, 0};
    if (::poll(&polled, 1, 0) <= 0) return false;
    char byte = 0;
    return ::recv(socket.get(), &byte, 1, MSG_DONTWAIT) <= 0;
  }
  static size_t CountOf(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++count;
    return count;
  }
  static std::string Sleeper(const std::string& user = "operator") {
    std::string id = daemon_->Ok({"run", "-d", "--", "sh", "-c", "echo first; exec sleep 1000"}, user);
    EXPECT_TRUE(WaitUntil([&] { return daemon_->Do({"logs", id}, user).out == "first\n"; }));
    return id;
  }
  static void End(const std::string& id, const std::string& user = "operator") { daemon_->Ok({"cancel", "-t", "0s", id}, user); }
};

TEST_F(ConnectionTest, SilentAndHalfOpenHandshakesAreEndedAndCostNobodyTheirPlace) {
  const uint64_t before = DescriptorsOf(daemon_->ServerPid());
  std::vector<base::Fd> silent;
  for (const char* from : {"127.0.0.2", "127.0.0.1"}) {
    for (int i = 0; i < 500; ++i) silent.push_back(Silent(from, i % 2 == 0 ? "" : "\x16\x03\x01"));
    EXPECT_EQ(daemon_->Do({"run", "--", "echo", "served"}).out, "served\n") << "beside those from " << from;
    EXPECT_LE(DescriptorsOf(daemon_->ServerPid()), before + 2 * kMaxConnections + 10);
  }
  EXPECT_TRUE(WaitUntil([&] { return std::ranges::all_of(silent, IsClosed); }, Seconds(20))) << "a handshake has 10 s";
  EXPECT_TRUE(WaitUntil([&] { return DescriptorsOf(daemon_->ServerPid()) <= before + 5; }));
}

TEST_F(ConnectionTest, MoreConnectionsThanAnAddressMayHaveAreRefusedAndThoseThereAreGoOn) {
  const std::string id = Sleeper();
  std::vector<std::unique_ptr<Follower>> followers;
  for (int i = 0; i < kMaxConnections; ++i) {
    followers.push_back(std::make_unique<Follower>(Connect(*daemon_), FollowOf(id)));
    ASSERT_TRUE(followers.back()->WaitForBytes(6));
    ASSERT_EQ(followers.back()->bytes(), 6u) << followers.back()->status().error_message();
  }
  const Output refused = daemon_->Do({"list", "--connect-timeout", "1s"});
  EXPECT_EQ(refused.code(), 125) << refused.out;
  for (const auto& follower : followers) EXPECT_FALSE(follower->WaitForEnd(Seconds(0)));
  followers.resize(kMaxConnections / 2);
  EXPECT_TRUE(WaitUntil([&] { return daemon_->Do({"list"}).code() == 0; })) << "their places are free again";
  End(id);
  for (const auto& follower : followers) {
    ASSERT_TRUE(follower->WaitForEnd());
    EXPECT_TRUE(follower->status().ok()) << follower->status().error_message();
  }
}

TEST_F(ConnectionTest, MoreStreamsThanAUserMayHaveAreRefusedToThatUserAlone) {
  const std::string id = Sleeper();
  const auto channel = Connect(*daemon_);
  std::vector<std::unique_ptr<Follower>> followers;
  for (int i = 0; i < kMaxStreams; ++i) followers.push_back(std::make_unique<Follower>(channel, FollowOf(id)));
  for (const auto& follower : followers) ASSERT_TRUE(follower->WaitForBytes(6));
  Follower more(channel, FollowOf(id));
  ASSERT_TRUE(more.WaitForEnd());
  EXPECT_EQ(more.status().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << more.status().error_message();
  EXPECT_EQ(daemon_->Do({"run", "--", "true"}, "operator2").code(), 0);
  followers.clear();
  EXPECT_TRUE(WaitUntil([&] { return daemon_->Do({"list"}).code() == 0; }));
  End(id);
}

TEST(DescriptorTest, WithoutDescriptorsItRefusesKeepsWhatItHasAndComesBackByItself) {
  Daemon daemon({"[limits]\nmax_running = 4\n", {}, "", {"/usr/bin/prlimit", "--nofile=96:96"}});
  ASSERT_TRUE(daemon.Start()) << daemon.log();
  const pid_t server = daemon.ServerPid();
  const std::string gate = daemon.ShareDir() + "/gate";
  const std::string id =
      daemon.Ok({"run", "-d", "--", "sh", "-c", "echo first; while ! test -e " + gate + "; do sleep 0.01; done; exit 5"});
  ASSERT_TRUE(WaitUntil([&] { return daemon.Do({"logs", id}).out == "first\n"; }));
  // Each takes its connection and the files of the log.
  const auto channel = Connect(daemon);
  Follower first(channel, FollowOf(id));
  ASSERT_TRUE(first.WaitForBytes(6));
  std::vector<std::unique_ptr<Follower>> followers;
  for (int i = 0; i < 60; ++i) followers.push_back(std::make_unique<Follower>(channel, FollowOf(id)));
  for (const auto& follower : followers) ASSERT_TRUE(follower->WaitForBytes(6));
  size_t refused = 0;
  for (const auto& follower : followers) {
    if (!follower->WaitForEnd(Seconds(0))) continue;
    EXPECT_EQ(follower->status().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << follower->status().error_message();
    ++refused;
  }
  EXPECT_GT(refused, 0u) << "or this shows nothing";
  // New connections are refused, not left hanging; the one there is serves on.
  (void)daemon.Do({"list", "--connect-timeout", "1s"});
  v1::ExecuteJobRequest submit;
  submit.mutable_options()->set_correlation_id("short");
  *submit.mutable_job() = ShellJob("exit 3");
  v1::ExecuteJobResponse accepted;
  grpc::ClientContext submitting;
  const grpc::Status submitted = v1::JobScheduleService::NewStub(channel)->ExecuteJob(&submitting, submit, &accepted);
  EXPECT_TRUE(submitted.ok() || submitted.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) << submitted.error_message();
  EXPECT_FALSE(first.WaitForEnd(Seconds(0))) << "what is open stays open";

  followers.clear();
  EXPECT_TRUE(WaitUntil([&] { return daemon.Do({"list", "--connect-timeout", "1s"}).code() == 0; }));
  EXPECT_EQ(daemon.Do({"run", "--id", "short", "--", "/bin/sh", "-c", "exit 3"}).code(), 3) << "accepted then or now, it runs";
  WriteFile(gate, "");
  EXPECT_EQ(daemon.Do({"wait", id}).code(), 5);
  ASSERT_TRUE(first.WaitForEnd());
  EXPECT_TRUE(first.status().ok()) << first.status().error_message();
  EXPECT_EQ(daemon.ServerPid(), server) << "without a restart";
}

TEST_F(ConnectionTest, CallsThatAreCutLeaveNothingBehind) {
  const std::string id = Sleeper();
  EXPECT_EQ(daemon_->Do({"list"}).code(), 0);
  const uint64_t before = DescriptorsOf(daemon_->ServerPid());
  auto channel = Connect(*daemon_);
  for (int i = 0; i < 1000; ++i) {
    if (i % 20 == 19) channel = Connect(*daemon_);
    if (i % 2 == 0) {
      Follower follower(channel, FollowOf(id));  // cancelled at once, or once it has said something
      EXPECT_TRUE(i % 4 != 0 || follower.WaitForBytes(6));
      continue;
    }
    // In the middle of a batch, which then never was.
    grpc::ClientContext context;
    v1::SubmitBatchResponse response;
    const auto upload = v1::JobScheduleService::NewStub(channel)->SubmitBatch(&context, &response);
    v1::SubmitBatchRequest request;
    request.mutable_options()->set_correlation_id("cut-" + std::to_string(i));
    *request.add_jobs() = ShellJob("true");
    const bool written = upload->Write(request);
    context.TryCancel();
    const auto status = upload->Finish();
    EXPECT_FALSE(status.ok());
    EXPECT_TRUE(written) << status.error_message();
  }
  channel.reset();
  EXPECT_TRUE(WaitUntil([&] { return DescriptorsOf(daemon_->ServerPid()) <= before + 3; })) << DescriptorsOf(daemon_->ServerPid());
  EXPECT_EQ(daemon_->Do({"list", "-o", "name", "--limit", "1000"}).out.find("cut-"), std::string::npos);
  End(id);
}

TEST_F(ConnectionTest, AStreamEndsWithTheCertificateItWasOpenedWith) {
  const std::string id = Sleeper("operator2");
  // For openssl-x509 a certificate lasts days; openssl-ca takes a second.
  const Output made = RunCommand(
      {{"/bin/sh", "-ec",
        "openssl ecparam -name prime256v1 -genkey -noout -out brief.key; openssl req -new -key brief.key -subj /CN=brief -out "
        "brief.csr; printf "
        "'[ca]\\ndefault_ca=it\\n[it]\\ndatabase=index\\nnew_certs_dir=.\\nserial=serial\\ndefault_md=sha256\\npolicy=any\\n[any]"
        "\\n"
        "commonName=supplied\\n' >ca.conf; : >index; echo 01 >serial; printf "
        "'basicConstraints=CA:FALSE\\nkeyUsage=digitalSignature\\nextendedKeyUsage=clientAuth\\n"
        "subjectAltName=URI:spiffe://jobd/user/operator2\\n' >brief.ext; openssl ca -batch -notext -config ca.conf "
        "-cert ca.crt -keyfile ca.key -in brief.csr -out brief.crt -extfile brief.ext -startdate 20200101000000Z -enddate "
        "$(date -u -d '4 seconds' +%Y%m%d%H%M%SZ)"},
       {},
       {},
       daemon_->CertDir()});
  ASSERT_EQ(made.code(), 0) << made.err;
  Follower brief(Connect(*daemon_, "brief"), FollowOf(id));
  Follower lasting(Connect(*daemon_, "operator2"), FollowOf(id));
  ASSERT_TRUE(brief.WaitForBytes(6));
  ASSERT_EQ(brief.bytes(), 6u) << brief.status().error_message();
  ASSERT_TRUE(brief.WaitForEnd(Seconds(20)));
  EXPECT_EQ(brief.status().error_code(), grpc::StatusCode::UNAUTHENTICATED) << brief.status().error_message();
  EXPECT_EQ(daemon_->Do({"list"}, "brief").code(), 125);
  End(id, "operator2");
  ASSERT_TRUE(lasting.WaitForEnd());
  EXPECT_TRUE(lasting.status().ok()) << lasting.status().error_message();
}

TEST_F(ConnectionTest, StoppedAmongCallsEveryCallerGetsAnAnswer) {
  const std::string id = Sleeper();
  const auto channel = Connect(*daemon_);
  std::vector<std::unique_ptr<Follower>> followers;
  for (int i = 0; i < kMaxStreams - 10; ++i) followers.push_back(std::make_unique<Follower>(channel, FollowOf(id)));
  for (const auto& follower : followers) ASSERT_TRUE(follower->WaitForBytes(6));
  std::vector<std::future<std::map<std::string, grpc::StatusCode>>> callers;
  for (int caller = 0; caller < 8; ++caller) {
    callers.push_back(std::async(std::launch::async, [&, caller] {
      std::map<std::string, grpc::StatusCode> answers;
      const auto stub = v1::JobScheduleService::NewStub(channel);
      for (int i = 0; i < 100'000; ++i) {
        v1::ExecuteJobRequest request;
        request.mutable_options()->set_correlation_id("stop-" + std::to_string(caller) + "-" + std::to_string(i));
        request.mutable_options()->set_hold(true);
        *request.mutable_job() = ShellJob("true");
        v1::ExecuteJobResponse response;
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + kPatience);
        const auto code = stub->ExecuteJob(&context, request, &response).error_code();
        answers[request.options().correlation_id()] = code;
        if (code != grpc::StatusCode::OK) break;
      }
      return answers;
    }));
  }
  const auto busy = [&] { return CountOf(daemon_->Do({"list", "-o", "name", "--limit", "100"}).out, "stop-") >= 20; };
  ASSERT_TRUE(WaitUntil(busy));
  EXPECT_EQ(daemon_->Stop().code(), 0);
  for (const auto& follower : followers) {
    ASSERT_TRUE(follower->WaitForEnd());
    EXPECT_EQ(follower->status().error_code(), grpc::StatusCode::UNAVAILABLE) << follower->status().error_message();
  }
  ASSERT_TRUE(daemon_->Start()) << daemon_->log();
  const auto query = v1::JobQueryService::NewStub(Connect(*daemon_));
  size_t accepted = 0;
  for (auto& caller : callers) {
    for (const auto& [batch, code] : caller.get()) {
      EXPECT_NE(code, grpc::StatusCode::DEADLINE_EXCEEDED) << batch;
      if (code != grpc::StatusCode::OK) continue;
      ++accepted;
      v1::GetBatchRequest request;
      request.set_correlation_id(batch);
      v1::GetBatchResponse response;
      grpc::ClientContext context;
      EXPECT_TRUE(query->GetBatch(&context, request, &response).ok()) << "an ID given is a batch kept";
    }
  }
  EXPECT_GT(accepted, 0u);
  End(id);
}

}  // namespace
}  // namespace jobd::e2e
