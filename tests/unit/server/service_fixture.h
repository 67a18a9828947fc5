// The real service in this process, on a port of its own, over a fake worker.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>
#include <sstream>
#include <string>

#include "server/grpc/tls_policy.h"
#include "server/service.h"
#include "tests/unit/server/fake_worker.h"
#include "tests/unit/server/test_pki.h"

namespace jobd::server::testing {

inline constexpr const char* kUsers =
    "[[user]]\nname = \"admin\"\nrole = \"admin\"\n"
    "[[user]]\nname = \"operator\"\nrole = \"operator\"\n"
    "[[user]]\nname = \"operator2\"\nrole = \"operator\"\n"
    "[[user]]\nname = \"viewer\"\nrole = \"viewer\"\n";

class ServiceFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    static const base::Status applied = ApplyTlsPolicy();
    ASSERT_TRUE(applied.ok());
  }

  virtual std::string Users() const { return kUsers; }

  void SetUp() override {
    const Issued server = ca_.Server();
    files_.config =
        "[server]\nlisten = \"127.0.0.1:0\"\n[tls]\nca = \"/ca\"\ncert = \"/cert\"\nkey = \"/key\"\nrevoked = \"/revoked\"\n"
        "[users]\nfile = \"/users.toml\"\n";
    files_.users = Users();
    files_.tls = {.ca = ca_.pem(), .cert = server.cert, .key = server.key};
    files_.revoked = "";
    auto initial = CheckFiles(files_, "/jobd.toml", {}, clock_.Realtime());
    ASSERT_TRUE(initial.ok()) << initial.error().message();
    auto service = Service::Start(worker_, clock_,
                                  {.files = [this]() -> base::Result<FileContents> {
                                     const std::lock_guard lock(mutex_);
                                     return files_;
                                   },
                                   .initial = *std::move(initial),
                                   .config_name = "/jobd.toml",
                                   .about = {.started_at = clock_.Realtime()},
                                   .log = log_,
                                   .metrics = metrics_},
                                  *base::Listen("127.0.0.1:0"));
    ASSERT_TRUE(service.ok()) << service.error().message();
    service_ = *std::move(service);
  }
  void TearDown() override {
    if (service_) service_->Shutdown(1000);
  }

  std::shared_ptr<grpc::Channel> Channel(const Issued& client) const {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("localhost");
    // A connection for each channel: what one test client negotiated must not serve another.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    grpc::SslCredentialsOptions options{ca_.pem(), client.key, client.cert};
    return grpc::CreateCustomChannel(service_->address(), grpc::SslCredentials(options), arguments);
  }
  std::shared_ptr<grpc::Channel> ChannelOf(const std::string& user) { return Channel(ca_.User(user)); }

  // What the service has logged so far.
  std::string Log() {
    log_->flush();
    return log_text_.str();
  }

  mutable TestCa ca_;
  const base::SystemClock clock_;
  std::mutex mutex_;
  FileContents files_;  // under mutex_ once the service runs
  FakeWorker worker_;
  std::ostringstream log_text_;
  std::shared_ptr<spdlog::logger> log_ =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_text_));
  const std::shared_ptr<Metrics> metrics_ = std::make_shared<Metrics>();
  std::unique_ptr<Service> service_;
};

// A client context that gives up in time for the test to say so.
class Context : public grpc::ClientContext {
 public:
  Context() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20)); }
};

}  // namespace jobd::server::testing
