#include "server/auth/revocation.h"

#include <gtest/gtest.h>

#include "server/auth/client_chain.h"
#include "tests/unit/server/test_pki.h"

namespace jobd::server {
namespace {

const std::string kFingerprint = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

Certificate With(const std::string& fingerprint, const std::string& serial) {
  Certificate certificate;
  certificate.fingerprint = fingerprint;
  certificate.serial = serial;
  return certificate;
}

TEST(Revocation, WhatCannotBeReadIsAnErrorWithItsLine) {
  for (const char* bad : {"xyz", "12 34", "::", "0x", "0xg1", "0x1234567890123456789012345678901234567890a", "-1", "12,34"}) {
    const auto list = RevocationList::Parse("revoked", std::string("# first\n\n") + bad + "\n");
    ASSERT_FALSE(list.ok()) << bad;
    EXPECT_TRUE(list.error().message().starts_with("revoked:3:")) << list.error().message();
    EXPECT_EQ(list.error().message().find(bad), std::string::npos);
  }
}

TEST(Revocation, FingerprintsAndSerialsInAnyUsualSpelling) {
  std::string spelled;
  for (size_t i = 0; i < kFingerprint.size(); i += 2) spelled += (i == 0 ? "" : ":") + kFingerprint.substr(i, 2);
  for (char& c : spelled) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const auto list = RevocationList::Parse("revoked", "  " + spelled + "  # operator's laptop\r\n00:0A:bC\n0\n\n# end");
  ASSERT_TRUE(list.ok()) << list.error().message();
  EXPECT_EQ(list->size(), 3u);
  EXPECT_TRUE(list->Contains(With(kFingerprint, "1")));
  EXPECT_TRUE(list->Contains(With("f", "abc")));
  EXPECT_TRUE(list->Contains(With("f", "0")));
  EXPECT_FALSE(list->Contains(With("f", "abcd")));
}

TEST(Revocation, FaultD15ASerialThatMayBeDecimalIsRefusedWithItsLine) {
  for (const char* bad : {"10", "291", "1234567890123456789012345678901234567890"}) {
    const auto list = RevocationList::Parse("revoked", std::string("ab\n") + bad + "\n");
    ASSERT_FALSE(list.ok()) << bad;
    EXPECT_TRUE(list.error().message().starts_with("revoked:2:")) << list.error().message();
  }
  const auto list = RevocationList::Parse("revoked", "0x10\n02:91\n0123\n7\n");
  ASSERT_TRUE(list.ok()) << list.error().message();
  for (const char* serial : {"10", "291", "123", "7"}) EXPECT_TRUE(list->Contains(With("f", serial))) << serial;
}

TEST(Revocation, FaultD15ARevokedIssuerRevokesWhatItIssued) {
  testing::TestCa root;
  testing::TestCa middle(
      root.Issue({.common_name = "middle", .extended_key_usage = "", .key_usage = "keyCertSign", .ca = true, .serial = 0xabc}));
  testing::TestCa stranger("stranger");
  const testing::Issued leaf = middle.User("operator");
  const auto list = RevocationList::Parse("revoked", "ABC\n");
  ASSERT_TRUE(list.ok());
  const auto contains = [&](const std::string& chain) { return list->Contains(*ParseClientChain(chain, Authorities(""))); };
  EXPECT_TRUE(contains(leaf.cert + middle.pem() + root.pem()));
  EXPECT_TRUE(contains(leaf.cert + stranger.pem() + root.pem() + middle.pem())) << "in whatever order";
  EXPECT_FALSE(contains(root.User("operator").cert + middle.pem() + root.pem())) << "it only came along";
  // And one further up.
  testing::TestCa lower(
      middle.Issue({.common_name = "lower", .extended_key_usage = "", .key_usage = "keyCertSign", .ca = true, .serial = 0xdef}));
  EXPECT_TRUE(contains(lower.User("operator").cert + lower.pem() + middle.pem()));
}

TEST(Revocation, AnEmptyListRevokesNobody) {
  const auto list = RevocationList::Parse("revoked", "");
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->size(), 0u);
  EXPECT_FALSE(list->Contains(With(kFingerprint, "1")));
}

}  // namespace
}  // namespace jobd::server
