#include "server/auth/revocation.h"

#include <gtest/gtest.h>

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
  for (const char* bad : {"xyz", "12 34", "::", "0x12", "1234567890123456789012345678901234567890a", "-1", "12,34"}) {
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

TEST(Revocation, AnEmptyListRevokesNobody) {
  const auto list = RevocationList::Parse("revoked", "");
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->size(), 0u);
  EXPECT_FALSE(list->Contains(With(kFingerprint, "1")));
}

}  // namespace
}  // namespace jobd::server
