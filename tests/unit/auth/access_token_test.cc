#include "auth/access_token.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace jobd::auth {
namespace {

bool Parses(std::string_view text) { return AccessToken::Parse(text).ok(); }

TEST(AccessToken, EveryFlippedBitIsRefused) {
  for (int round = 0; round < 20; ++round) {
    const std::string good = AccessToken::Generate().text();
    ASSERT_TRUE(Parses(good));
    for (size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::string bad = good;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_FALSE(Parses(bad)) << bit;
    }
  }
}

TEST(AccessToken, EveryOtherCharacterAndEverySwapIsRefused) {
  const std::string good = AccessToken::Generate().text();
  for (size_t place = 0; place < good.size(); ++place) {
    for (int c = 0; c < 256; ++c) {
      std::string bad = good;
      bad[place] = static_cast<char>(c);
      EXPECT_EQ(Parses(bad), bad == good) << place << ' ' << c;
    }
    if (place + 1 < good.size() && good[place] != good[place + 1]) {
      std::string bad = good;
      std::swap(bad[place], bad[place + 1]);
      EXPECT_FALSE(Parses(bad)) << place;
    }
  }
}

TEST(AccessToken, NothingAroundItAndNothingLeftOut) {
  const std::string good = AccessToken::Generate().text();
  EXPECT_FALSE(Parses(""));
  EXPECT_FALSE(Parses("jobd_"));
  EXPECT_FALSE(Parses(good + "\n"));
  EXPECT_FALSE(Parses(" " + good));
  EXPECT_FALSE(Parses(good + std::string(1, '\0')));
  EXPECT_FALSE(Parses(good + good));
  EXPECT_FALSE(Parses(good.substr(1)));
  for (size_t length = 0; length < good.size(); ++length) EXPECT_FALSE(Parses(good.substr(0, length))) << length;
  EXPECT_FALSE(Parses("Bearer " + good));
  EXPECT_FALSE(Parses(std::string(1 << 20, 'j')));
  EXPECT_FALSE(Parses("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."));
}

TEST(AccessToken, ANumberBeyond256BitsIsRefusedEvenWithItsChecksum) {
  // Each with the CRC-32 that belongs to it, computed by Python's zlib.
  EXPECT_FALSE(Parses("jobd_0000000000000000000000000000000000000000000AAAAAA"));
  EXPECT_TRUE(Parses("jobd_000000000000000000000000000000000000000000010B9ei"));
  EXPECT_TRUE(Parses("jobd_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp12sbAxE"));   // 2^256 - 1
  EXPECT_FALSE(Parses("jobd_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp204qpHu"));  // 2^256
  EXPECT_FALSE(Parses("jobd_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz1ZKKcr"));  // 62^43 - 1
}

TEST(AccessToken, TheErrorDoesNotQuoteIt) {
  std::string bad = AccessToken::Generate().text();
  bad.back() = bad.back() == 'x' ? 'y' : 'x';
  const auto parsed = AccessToken::Parse(bad);
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code(), base::Code::kUnauthenticated);
  EXPECT_EQ(parsed.error().message().find(bad.substr(0, 10)), std::string::npos);
}

TEST(AccessToken, IsRandomAndUsesAllDigits) {
  std::set<std::string> seen;
  std::set<char> digits;
  for (int i = 0; i < 1000; ++i) {
    const AccessToken token = AccessToken::Generate();
    EXPECT_TRUE(token.text().starts_with("jobd_"));
    EXPECT_EQ(token.text().size(), 54u);
    EXPECT_TRUE(seen.insert(token.text()).second);
    digits.insert(token.text().begin() + 6, token.text().begin() + 48);
  }
  EXPECT_EQ(digits.size(), 62u);
}

TEST(AccessToken, DigestIsSha256OfTheText) {
  const AccessToken token = AccessToken::Generate();
  const auto again = AccessToken::Parse(token.text());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(token.Digest(), base::Sha256Of(token.text()));
  EXPECT_TRUE(SameDigest(token.Digest(), again->Digest()));
  EXPECT_FALSE(SameDigest(token.Digest(), AccessToken::Generate().Digest()));
}

}  // namespace
}  // namespace jobd::auth
