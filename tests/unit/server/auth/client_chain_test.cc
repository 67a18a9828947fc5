#include "server/auth/client_chain.h"

#include <gtest/gtest.h>

#include "server/auth/access.h"
#include "server/auth/certificate_chain.h"
#include "tests/unit/server/test_pki.h"

namespace jobd::server {
namespace {

using testing::Issued;
using testing::TestCa;

Issued Intermediate(TestCa& by, const std::string& name, long serial) {
  return by.Issue({.common_name = name, .extended_key_usage = "", .key_usage = "keyCertSign", .ca = true, .serial = serial});
}

class ClientChainTest : public ::testing::Test {
 protected:
  std::string Junk(size_t count) const {
    std::string junk;
    for (size_t i = 0; i < count; ++i) junk += stranger_.pem();
    return junk;
  }
  // Why `sent` is refused where `ca` is the file of authorities and the intermediate is revoked; empty: it is let in.
  static std::string WhyNot(const std::string& sent, const std::string& ca) {
    AccessRules rules{.users = *config::Users::Parse("users.toml", "[[user]]\nname = \"a\"\nrole = \"operator\"\n"),
                      .revoked = *RevocationList::Parse("revoked", "abc\n"),
                      .ca = ca};
    const base::SystemClock clock;
    AccessControl access(std::make_shared<const AccessRules>(std::move(rules)), clock);
    const auto caller = access.Authenticate(sent);
    return caller.ok() ? "" : caller.error().message();
  }

  static constexpr const char* kRevoked = "the client certificate has been revoked";
  TestCa root_;
  TestCa stranger_{"stranger"};
  TestCa middle_{Intermediate(root_, "middle", 0xabc)};
  const std::string leaf_ = middle_.User("a").cert;
};

TEST_F(ClientChainTest, JunkHidesNoRevokedIntermediateOfTheFile) {
  const std::string ca = root_.pem() + middle_.pem();
  EXPECT_EQ(WhyNot(leaf_, ca), kRevoked);
  EXPECT_EQ(WhyNot(leaf_ + Junk(kMaxChainCertificates - 1), ca), kRevoked);
  EXPECT_NE(WhyNot(leaf_ + Junk(64), ca), "");
}

TEST_F(ClientChainTest, NorOneThatCameBehindIt) {
  EXPECT_EQ(WhyNot(leaf_ + Junk(kMaxChainCertificates - 2) + middle_.pem(), root_.pem()), kRevoked);
}

TEST_F(ClientChainTest, AFileOfManyAuthoritiesIsReadToItsEnd) {
  std::string ca = root_.pem();
  for (int i = 0; i < 100; ++i) ca += stranger_.pem();
  EXPECT_EQ(WhyNot(leaf_, ca + middle_.pem()), kRevoked);
}

TEST_F(ClientChainTest, MoreThanMayBeSentIsRefusedAndSaysSo) {
  const std::string good = root_.User("a").cert;
  EXPECT_EQ(WhyNot(good + Junk(kMaxChainCertificates - 1), root_.pem()), "");
  const std::string one_more = WhyNot(good + Junk(kMaxChainCertificates), root_.pem());
  EXPECT_NE(one_more.find("at most 16 certificates in 32 KiB"), std::string::npos) << one_more;
  // Few, but large.
  std::string large = good;
  while (large.size() <= kMaxChainBytes) large += "# as much as one likes between them\n";
  EXPECT_NE(WhyNot(large, root_.pem()).find("32 KiB"), std::string::npos);
}

TEST_F(ClientChainTest, WhoseAuthorityWasExchangedIsOutOnAnOldConnectionToo) {
  TestCa good(Intermediate(root_, "good", 0xdef));
  TestCa other("other");
  AccessRules rules{.users = *config::Users::Parse("users.toml", "[[user]]\nname = \"a\"\nrole = \"operator\"\n")};
  const auto judged_by = [&](const std::string& ca) {
    rules.ca = ca;
    rules.authorities = FingerprintsOf(ca);
    return std::make_shared<const AccessRules>(rules);
  };
  const base::SystemClock clock;
  AccessControl access(judged_by(root_.pem()), clock);
  const std::string direct = root_.User("a").cert;
  const std::string by_way = good.User("a").cert + good.pem();
  const auto lasting = access.Authenticate(direct);
  ASSERT_TRUE(lasting.ok()) << lasting.error().message();
  ASSERT_TRUE(access.Authenticate(by_way).ok());
  access.Replace(judged_by(other.pem() + root_.pem()));
  EXPECT_TRUE(access.Authenticate(lasting->standing()).ok()) << "one of two";
  access.Replace(judged_by(other.pem()));
  EXPECT_EQ(access.Authenticate(direct).error().code(), base::Code::kUnauthenticated);
  EXPECT_FALSE(access.Authenticate(by_way).ok());
  EXPECT_FALSE(access.Authenticate(lasting->standing()).ok()) << "a stream ends at its next look";
  EXPECT_TRUE(access.Authenticate(other.User("a").cert).ok());
  access.Replace(judged_by(root_.pem()));
  EXPECT_TRUE(access.Authenticate(direct).ok());
}

TEST_F(ClientChainTest, AChainAsItShouldBeIsTaken) {
  TestCa good(Intermediate(root_, "good", 0xdef));
  TestCa lower(Intermediate(good, "lower", 0x123));
  const std::string sent = lower.User("a").cert + lower.pem() + good.pem();
  EXPECT_EQ(WhyNot(sent, root_.pem()), "");
  EXPECT_EQ(WhyNot(sent + root_.pem(), root_.pem()), "");
  const auto parsed = ParseClientChain(sent + sent, Authorities(root_.pem() + good.pem()));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  ASSERT_EQ(parsed->issuers.size(), 3u) << "each once";
  EXPECT_EQ(parsed->issuers[0].serial, "123");
  EXPECT_EQ(parsed->issuers[1].serial, "def");
  EXPECT_EQ(parsed->issuers[1].fingerprint, ParseCertificate(good.pem())->fingerprint);
}

TEST_F(ClientChainTest, WhatCannotBeReadIsRefused) {
  const std::string good = root_.User("a").cert;
  const std::string broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  for (const std::string& bad : {std::string(), std::string("garbage"), broken, good + broken, good + broken + middle_.pem(),
                                 good.substr(0, good.size() / 2)}) {
    const auto parsed = ParseClientChain(bad, Authorities(root_.pem()));
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(parsed.error().code(), base::Code::kUnauthenticated);
  }
}

TEST_F(ClientChainTest, TheLeafAloneHasNoIssuers) {
  const auto parsed = ParseCertificate(leaf_ + middle_.pem() + root_.pem());
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(parsed->issuers.empty());
}

}  // namespace
}  // namespace jobd::server
