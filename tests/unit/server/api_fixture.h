// All that handlers need, over a fake worker and a clock that the test moves: everything of the server but the network.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>

#include "server/api/handlers.h"
#include "server/auth/access.h"
#include "server/auth/call_admission.h"
#include "server/auth/call_limits.h"
#include "server/auth/logins.h"
#include "server/auth/tls_material.h"
#include "server/ops/metrics.h"
#include "server/ops/reloader.h"
#include "server/rpc/method.h"
#include "server/rpc/public_error.h"
#include "server/rpc/stream_registry.h"
#include "server/rpc/task_pool.h"
#include "tests/unit/server/fake_transport.h"
#include "tests/unit/server/fake_worker.h"
#include "tests/unit/server/test_pki.h"
#include "tests/unit/server/test_users.h"

namespace jobd::server::testing {

// What the service reads from files, with certificates of `ca`.
inline FileContents FilesOf(TestCa& ca) {
  const Issued server = ca.Server();
  return {.config =
              "[server]\nlisten = \"127.0.0.1:0\"\n[tls]\nca = \"/ca\"\ncert = \"/cert\"\nkey = \"/key\"\nrevoked = \"/revoked\"\n"
              "[users]\nfile = \"/users.toml\"\n",
          .users = UsersText(),
          .tls = {.ca = ca.pem(), .cert = server.cert, .key = server.key},
          .revoked = ""};
}

// The time of the system's clocks, and as much more as the test wants: certificates have real dates. Goes on by itself until it is
// told to stand still, for tests of exact times.
class MovableClock final : public base::Clock {
 public:
  base::Nanos Realtime() const override { return (stands_ ? wall_ : system_.Realtime()) + ahead_.load(); }
  base::Nanos Monotonic() const override { return (stands_ ? monotonic_ : system_.Monotonic()) + ahead_.load(); }
  void Advance(base::Nanos by) { ahead_ += by; }
  // Before there is a second thread that looks at it.
  void StandStill() {
    wall_ = system_.Realtime();
    monotonic_ = system_.Monotonic();
    stands_ = true;
  }

 private:
  const base::SystemClock system_;
  std::atomic<base::Nanos> ahead_ = 0;
  base::Nanos wall_ = 0;
  base::Nanos monotonic_ = 0;
  std::atomic<bool> stands_ = false;
};

class ApiFixture : public ::testing::Test {
 protected:
  static constexpr uint64_t kUploads = 1 << 20;

  void SetUp() override {
    auto methods = MethodTable::Build(MethodRules(), Handlers(api_));
    ASSERT_TRUE(methods.ok()) << methods.error().message();
    methods_ = *std::move(methods);
  }

  // A client whose certificate names this user.
  FakeClient Client(const std::string& user) { return {support_, methods_, ca_.User(user).cert}; }
  FakeClient ClientWith(const std::string& certificate) { return {support_, methods_, certificate}; }

  // The token of a session of this user's, made for this certificate as if they had just logged in.
  std::string TokenFor(const std::string& user, const std::string& certificate) {
    const auto caller = access_.Authenticate(certificate);
    EXPECT_TRUE(caller.ok());
    const auto rules = access_.rules();
    const config::User* const entry = rules->users.Find(user);
    std::string text;
    sessions_.Begin({.user = user,
                     .host = caller->host,
                     .thumbprint = caller->certificate->fingerprint,
                     .grounds = GroundsOf(*entry),
                     .max_role = std::min(caller->max_role, entry->role)},
                    {.token = 900 * base::kNanosPerSecond, .session = 12 * 3600 * base::kNanosPerSecond},
                    [&](base::Result<SessionTable::Granted> granted) {
                      ASSERT_TRUE(granted.ok()) << granted.error().message();
                      text = granted->token->text();
                    });
    return text;
  }

  FileSet Initial() {
    auto checked = CheckFiles(files_, "/jobd.toml", {}, clock_.Realtime());
    EXPECT_TRUE(checked.ok()) << checked.error().message();
    return *std::move(checked);
  }
  std::string Log() {
    log_->flush();
    return log_text_.str();
  }

  mutable TestCa ca_;
  MovableClock clock_;
  FileContents files_ = FilesOf(ca_);
  const FileSet initial_ = Initial();
  FakeWorker worker_;
  std::ostringstream log_text_;
  std::shared_ptr<spdlog::logger> log_ =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_text_));
  Metrics metrics_;
  SessionTable sessions_{worker_.stored_sessions, clock_, 1};
  AccessControl access_{initial_.rules, clock_, &sessions_};
  LoginThrottle throttle_{clock_};
  PasswordQueue passwords_{worker_.stored_sessions, {.cost = kCheap}};
  Logins logins_{access_, sessions_, throttle_, passwords_};
  CallLimits limits_{100};
  CallAdmission admission_{access_, limits_, nullptr};
  ErrorReporter errors_{log_, nullptr};
  StreamRegistry streams_;
  MemoryBudget uploads_{kUploads, "submissions are being received"};
  MemoryBudget decoding_{kDecodingBytes, "requests are being read"};
  std::atomic<uint32_t> max_batch_jobs_ = 1000;
  TlsState tls_{initial_.tls};
  Reloader reloader_{[this] { return base::Result<FileContents>(files_); },
                     "/jobd.toml",
                     {},
                     initial_,
                     clock_,
                     {access_, tls_, [](const TlsMaterial&) { return base::Ok(); }, [](const auto&, const auto&, const auto&) {}}};
  const AboutProcess about_;
  const Api api_{worker_,   streams_, tasks_,  uploads_,  metrics_, *log_, max_batch_jobs_,
                 reloader_, tls_,     logins_, sessions_, clock_,   0,     about_};
  const CallSupport support_{admission_, streams_, tasks_, errors_, *log_, clock_, decoding_};
  MethodTable methods_;
  TaskPool tasks_{"task", 2};  // last: its tasks use the others
};

}  // namespace jobd::server::testing
