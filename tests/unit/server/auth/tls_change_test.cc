// What certificates are taken, at a start and in the place of others, and what is warned of.
#include "server/auth/tls_change.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "tests/unit/server/test_pki.h"

namespace jobd::server {
namespace {

using testing::CertSpec;
using testing::Issued;
using testing::TestCa;

constexpr long kDay = 24 * 3600;

class TlsChange : public ::testing::Test {
 protected:
  static base::Nanos Now() { return base::SystemClock().Realtime(); }
  static CertSpec ServerFor(std::vector<std::string> dns) {
    return {.common_name = "server", .dns = std::move(dns), .extended_key_usage = "serverAuth"};
  }
  static TlsFiles Files(const TestCa& ca, const Issued& server) { return {.ca = ca.pem(), .cert = server.cert, .key = server.key}; }
  static std::string ErrorOf(TlsFiles files) {
    const auto checked = CheckTlsFiles(std::move(files), Now());
    return checked.ok() ? "OK" : checked.error().message();
  }
  static TlsMaterial Checked(TlsFiles files) {
    auto checked = CheckTlsFiles(std::move(files), Now());
    EXPECT_TRUE(checked.ok()) << checked.error().message();
    return checked.ok() ? *std::move(checked) : TlsMaterial();
  }
  static std::string Change(const TlsMaterial& old, const TlsMaterial& next, const std::vector<KnownClient>& clients = {}) {
    const base::Status status = CheckTlsChange(old, old, next, clients, Now());
    if (status.ok()) return "OK";
    EXPECT_EQ(status.error().code(), base::Code::kFailedPrecondition);
    return status.error().message();
  }
  static ::testing::AssertionResult Has(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "'" << text << "' has no '" << part << "'";
  }

  TestCa ca_;
  TestCa other_{"another CA"};
};

TEST_F(TlsChange, FaultD17ACertificateForAnotherNameLocksClientsOut) {
  const TlsMaterial old = Checked(Files(ca_, ca_.Issue(ServerFor({"jobs.example.com", "localhost"}))));
  const std::string error = Change(old, Checked(Files(ca_, ca_.Issue(ServerFor({"other.example.com"})))));
  EXPECT_TRUE(Has(error, "jobs.example.com, localhost"));
  EXPECT_EQ(Change(old, Checked(Files(ca_, ca_.Issue(ServerFor({"localhost", "JOBS.example.com", "more"}))))), "OK");
  EXPECT_EQ(Change(old, Checked(Files(ca_, ca_.Issue(ServerFor({"localhost", "*.example.com"}))))), "OK");
}

TEST_F(TlsChange, FaultD17AWildcardCoversOneLabelAndOnlyItselfCoversIt) {
  EXPECT_TRUE(Covers({"*.example.com"}, "a.example.com"));
  EXPECT_TRUE(Covers({"*.example.com"}, "*.example.com"));
  EXPECT_FALSE(Covers({"*.example.com"}, "a.b.example.com"));
  EXPECT_FALSE(Covers({"*.example.com"}, "example.com"));
  EXPECT_FALSE(Covers({"a.example.com"}, "*.example.com"));
  EXPECT_FALSE(Covers({"*.0.0.1"}, "127.0.0.1"));
  EXPECT_FALSE(Covers({}, "localhost"));
}

TEST_F(TlsChange, FaultD17WithoutOtherNamesTheCommonNameCounts) {
  CertSpec spec = ServerFor({});
  spec.common_name = "Jobs.Example.com";
  const TlsMaterial old = Checked(Files(ca_, ca_.Issue(spec)));
  EXPECT_EQ(old.names, std::vector<std::string>{"jobs.example.com"});
  EXPECT_TRUE(Has(Change(old, Checked(Files(ca_, ca_.Server()))), "jobs.example.com"));
}

TEST_F(TlsChange, FaultD17AnAuthorityThatDoesNotCoverClientsInUse) {
  const Issued server = ca_.Server();
  const TlsMaterial old = Checked(Files(ca_, server));
  const std::vector<KnownClient> clients = {{"admin", ca_.User("admin").cert}, {"eve", other_.User("eve").cert}};
  TlsFiles changed = Files(ca_, server);
  changed.client_ca = other_.pem();
  const std::string error = Change(old, Checked(changed), clients);
  EXPECT_TRUE(Has(error, "tls.client_ca"));
  EXPECT_TRUE(Has(error, "admin would be locked out"));
  EXPECT_FALSE(Has(error, "eve"));
  changed.client_ca = other_.pem() + ca_.pem();
  EXPECT_EQ(Change(old, Checked(changed), clients), "OK");
}

// The way back from what was forced needs no force, unless somebody has come in since.
TEST_F(TlsChange, FaultH1TheWayBackLocksOutWhoCameInSince) {
  const TlsMaterial before = Checked(Files(ca_, ca_.Server()));
  TlsFiles changed = Files(other_, other_.Issue(ServerFor({"other.example.com"})));
  const TlsMaterial forced = Checked(changed);
  const KnownClient left{"admin", ca_.User("admin").cert};
  const KnownClient came{"eve", other_.User("eve").cert};
  EXPECT_TRUE(CheckTlsChange(before, forced, before, {left}, Now()).ok());
  const base::Status refused = CheckTlsChange(before, forced, before, {left, came}, Now());
  ASSERT_FALSE(refused.ok());
  EXPECT_TRUE(Has(refused.error().message(), "eve would be locked out"));
  EXPECT_FALSE(Has(refused.error().message(), "admin"));
  // Both authorities keep both in.
  TlsFiles both = Files(ca_, ca_.Server());
  both.client_ca = ca_.pem() + other_.pem();
  EXPECT_TRUE(CheckTlsChange(before, forced, Checked(both), {left, came}, Now()).ok());
}

TEST_F(TlsChange, FaultD17ACertificateOfAnAuthorityThatClientsDoNotKnow) {
  const TlsMaterial old = Checked(Files(ca_, ca_.Server()));
  EXPECT_TRUE(Has(Change(old, Checked(Files(ca_, other_.Server()))), "does not chain to tls.ca"));
  // A new authority and what it signed, together: who has both is let in.
  EXPECT_EQ(Change(old, Checked(Files(other_, other_.Server()))), "OK");
}

TEST_F(TlsChange, FaultC15AnotherAuthorityThanTheClientsMaySignTheServers) {
  const Issued server = other_.Server();
  const TlsMaterial alone = Checked(Files(ca_, server));
  EXPECT_FALSE(alone.broken_chain.empty());
  EXPECT_FALSE(alone.is_client);
  TlsFiles both = Files(other_, server);
  both.client_ca = ca_.pem();
  EXPECT_TRUE(Checked(both).broken_chain.empty());
  TlsFiles only_clients{.client_ca = ca_.pem(), .cert = server.cert, .key = server.key};
  EXPECT_TRUE(Checked(only_clients).broken_chain.empty());
  TlsFiles wrong = Files(ca_, server);
  wrong.client_ca = ca_.pem();
  EXPECT_TRUE(Has(ErrorOf(wrong), "tls.cert does not chain to tls.ca")) << "who names the server's authority means it";
}

TEST_F(TlsChange, FaultC14WhatNoClientCouldUseIsRefused) {
  const Issued good = ca_.Server();
  TlsFiles files = Files(ca_, good);
  files.key = ca_.Server().key;
  EXPECT_EQ(ErrorOf(files), "tls.key is not the key of tls.cert");
  files = Files(ca_, good);
  files.ca = good.key;
  EXPECT_EQ(ErrorOf(files), "tls.ca: it holds no certificate");
  files.ca = good.cert;
  EXPECT_TRUE(Has(ErrorOf(files), "is not a CA's"));
  CertSpec spec = ServerFor({"localhost"});
  spec.not_before = -20 * kDay;
  spec.not_after = -10 * kDay;
  EXPECT_TRUE(Has(ErrorOf(Files(ca_, ca_.Issue(spec))), "tls.cert has expired, on 20"));
  spec.not_before = 10 * kDay;
  spec.not_after = 20 * kDay;
  EXPECT_TRUE(Has(ErrorOf(Files(ca_, ca_.Issue(spec))), "is not valid before 20"));
  EXPECT_TRUE(Has(ErrorOf(Files(ca_, ca_.User("admin"))), "is not for a server"));
  files = Files(ca_, good);
  const TestCa old(ca_.Issue({.common_name = "old CA",
                              .extended_key_usage = "",
                              .key_usage = "keyCertSign",
                              .ca = true,
                              .not_before = -20 * kDay,
                              .not_after = -kDay}));
  files.client_ca = old.pem();
  EXPECT_TRUE(Has(ErrorOf(files), "none of its certificates is valid now"));
  files.client_ca = old.pem() + ca_.pem();
  EXPECT_EQ(ErrorOf(files), "OK");
}

TEST_F(TlsChange, FaultC18WhatEndsSoonIsWarnedOfFromFourteenDaysOn) {
  CertSpec spec = ServerFor({"localhost"});
  spec.not_after = 15 * kDay;
  TestCa ca(ca_.Issue(
      {.common_name = "long CA", .extended_key_usage = "", .key_usage = "keyCertSign", .ca = true, .not_after = 99 * kDay}));
  TlsFiles files = Files(ca, ca.Issue(spec));
  files.ca += ca_.pem();
  const TlsMaterial material = Checked(files);
  EXPECT_TRUE(material.broken_chain.empty()) << material.broken_chain;
  const base::Nanos now = Now();
  // The root, which lasts an hour, is warned of throughout.
  const auto in = [&](long days) {
    std::vector<std::string> warnings = TlsWarnings(material, now + days * kDay * base::kNanosPerSecond);
    EXPECT_FALSE(warnings.empty());
    EXPECT_TRUE(Has(warnings.back(), "the authority CN=test CA in tls.ca"));
    warnings.pop_back();
    return warnings;
  };
  EXPECT_TRUE(in(0).empty());
  ASSERT_EQ(in(2).size(), 1u);
  EXPECT_TRUE(Has(in(2)[0], "tls.cert ends in 1"));
  EXPECT_TRUE(Has(in(14)[0], "hours"));
  EXPECT_TRUE(Has(in(16)[0], "tls.cert has ended"));
  ASSERT_EQ(in(90).size(), 2u);
  EXPECT_TRUE(Has(in(90)[1], "the authority CN=long CA in tls.ca ends in"));
}

}  // namespace
}  // namespace jobd::server
