// What holds while a reload is under way.
#include "server/ops/reloader.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/auth/access.h"
#include "server/auth/tls_material.h"
#include "tests/unit/server/api_fixture.h"

namespace jobd::server {
namespace {

using testing::TestCa;

class ReloaderTest : public ::testing::Test {
 protected:
  ReloaderTest() {
    TestCa middle(Middle(root_));
    middle_.emplace(std::move(middle));
    initial_ = Checked(files_);
    access_.emplace(initial_->rules, clock_);
    tls_.emplace(initial_->tls);
    Reloader::Targets targets{.access = *access_,
                              .tls = *tls_,
                              .handshake = [this](const TlsMaterial&) { return during_handshake_(); },
                              .apply = [](const auto&, const auto&, const auto&) {}};
    reloader_.emplace(
        [this]() -> base::Result<FileContents> {
          FileContents fresh = files_;
          fresh.commit = [this] { return during_commit_(); };
          return fresh;
        },
        "/jobd.toml", config::Overrides{}, *initial_, clock_, std::move(targets));
    // From now on the file has an authority that is revoked.
    files_.tls.ca = root_.pem() + middle_->pem();
    files_.revoked = "abc\n";
    initial_.reset();
  }
  static testing::Issued Middle(TestCa& root) {
    return root.Issue({.common_name = "middle", .extended_key_usage = "", .key_usage = "keyCertSign", .ca = true, .serial = 0xabc});
  }
  FileSet Checked(FileContents files) {
    auto checked = CheckFiles(std::move(files), "/jobd.toml", {}, clock_.Realtime());
    EXPECT_TRUE(checked.ok()) << checked.error().message();
    return *std::move(checked);
  }
  size_t Issuers(const std::string& pem) {
    const auto caller = access_->Authenticate(pem);
    return caller.ok() ? caller->certificate->issuers.size() : 0;
  }

  TestCa root_;
  std::optional<TestCa> middle_;
  FileContents files_ = testing::FilesOf(root_);
  testing::MovableClock clock_;
  std::optional<FileSet> initial_;
  std::optional<AccessControl> access_;
  std::optional<TlsState> tls_;
  std::function<base::Status()> during_handshake_ = [] { return base::Ok(); };
  std::function<base::Status()> during_commit_ = [] { return base::Ok(); };
  std::optional<Reloader> reloader_;
};

TEST_F(ReloaderTest, FaultReloadWhoComesInByTheNewAuthoritiesIsNotLookedAtByTheOldOnes) {
  std::shared_ptr<const Certificate> lasting;
  during_handshake_ = [&] {
    const auto caller = access_->Authenticate(middle_->User("operator").cert);
    EXPECT_TRUE(caller.ok()) << "the rules are still the old ones";
    if (caller.ok()) lasting = caller->certificate;
    return base::Ok();
  };
  ASSERT_TRUE(reloader_->Reload(false).ok());
  ASSERT_NE(lasting, nullptr);
  const auto again = access_->Authenticate(Standing{lasting, nullptr});
  ASSERT_FALSE(again.ok()) << "its authority is revoked";
  EXPECT_NE(again.error().message().find("revoked"), std::string::npos);
}

TEST_F(ReloaderTest, FaultReloadNorBetweenTheHandshakeAndTheLaunchersAnswer) {
  size_t issuers = 0;
  during_commit_ = [&] {
    issuers = Issuers(middle_->User("operator").cert);
    return base::Ok();
  };
  ASSERT_TRUE(reloader_->Reload(false).ok());
  EXPECT_EQ(issuers, 2u);
}

TEST_F(ReloaderTest, FaultReloadOneThatIsRefusedLeavesTheOldAuthorities) {
  for (auto* step : {&during_handshake_, &during_commit_}) {
    *step = [] { return base::Status(base::Error(base::Code::kUnavailable, "no")); };
    EXPECT_FALSE(reloader_->Reload(false).ok());
    EXPECT_EQ(Issuers(middle_->User("operator").cert), 0u);
    EXPECT_EQ(tls_->Current()->pem.ca, root_.pem());
    *step = [] { return base::Ok(); };
  }
}

}  // namespace
}  // namespace jobd::server
