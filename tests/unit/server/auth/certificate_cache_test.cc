#include "server/auth/certificate_cache.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/server/test_pki.h"

namespace jobd::server {
namespace {

using testing::TestCa;

class TestClock final : public base::Clock {
 public:
  base::Nanos Realtime() const override { return now; }
  base::Nanos Monotonic() const override { return now; }
  base::Nanos now = 1;
};

class CertificateCacheTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Certificate> Get(const std::string& text) {
    ++clock_.now;
    auto got = cache_.Get(text);
    EXPECT_TRUE(got.ok()) << got.error().message();
    return got.ok() ? *got : nullptr;
  }
  // Whether it is remembered, without asking for it.
  bool Knows(const std::string& text) const {
    return std::ranges::any_of(cache_.UsedSince(INT64_MIN), [&](const auto& one) { return one.first == text; });
  }
  // The same leaf with another text behind it.
  static std::string Variant(const std::string& leaf, size_t number) { return leaf + "# " + std::to_string(number) + "\n"; }

  TestClock clock_;
  TestCa ca_;
  CertificateCache cache_{ca_.pem(), clock_};
};

TEST_F(CertificateCacheTest, OneCertificateInManyChainsDisplacesNobody) {
  const std::string other = ca_.User("other").cert;
  const auto known = Get(other);
  const std::string leaf = ca_.User("attacker").cert;
  for (size_t i = 0; i < 2 * CertificateCache::kMaxKnown; ++i) Get(Variant(leaf, i));
  EXPECT_EQ(cache_.size(), 1 + CertificateCache::kMaxOfLeaf);
  EXPECT_EQ(Get(other), known);
}

TEST_F(CertificateCacheTest, WhatWasUnusedForLongestMakesRoom) {
  std::vector<std::string> texts;
  for (size_t i = 0; texts.size() < CertificateCache::kMaxKnown; ++i) {
    const std::string leaf = ca_.User("u").cert;
    for (size_t j = 0; j < CertificateCache::kMaxOfLeaf; ++j) texts.push_back(Variant(leaf, j));
  }
  for (const std::string& text : texts) Get(text);
  EXPECT_EQ(cache_.size(), CertificateCache::kMaxKnown);
  Get(texts[0]);
  const auto lasting = Get(texts[1]);
  for (size_t i = 3; i < texts.size(); ++i) Get(texts[i]);
  clock_.now += 1000;
  Get(texts[0]);
  Get(ca_.User("new").cert);
  EXPECT_EQ(cache_.size(), CertificateCache::kMaxKnown);
  EXPECT_FALSE(Knows(texts[2])) << "it was asked for once, long ago";
  Get(ca_.User("newer").cert);
  EXPECT_TRUE(Knows(texts[0]));
  EXPECT_TRUE(Knows(texts[1])) << "a call that lasts has it";
  EXPECT_FALSE(Knows(texts[3]));
}

TEST_F(CertificateCacheTest, FaultReloadThoseThatAreExpectedStandAboveThemBesideTheOthers) {
  TestCa middle(ca_.Issue({.common_name = "middle", .extended_key_usage = "", .key_usage = "keyCertSign", .ca = true}));
  TestCa next("next");
  TestCa lower(next.Issue({.common_name = "lower", .extended_key_usage = "", .key_usage = "keyCertSign", .ca = true}));
  const std::string ca = ca_.pem() + middle.pem();
  cache_.UseAuthorities(ca);
  const std::string known = middle.User("known").cert;
  EXPECT_EQ(Get(known)->issuers.size(), 2u);
  cache_.Expect(next.pem() + lower.pem(), ca);
  EXPECT_EQ(Get(lower.User("a").cert)->issuers.size(), 2u) << "comes in by the new ones";
  EXPECT_EQ(Get(middle.User("b").cert)->issuers.size(), 2u) << "came in by the old ones, and asks for the first time";
  EXPECT_EQ(Get(known)->issuers.size(), 2u);
  cache_.Expect({}, ca);
  EXPECT_TRUE(Get(lower.User("c").cert)->issuers.empty()) << "they are not taken after all";
  cache_.UseAuthorities(next.pem() + lower.pem());
  EXPECT_EQ(Get(lower.User("d").cert)->issuers.size(), 2u);
  EXPECT_TRUE(Get(middle.User("e").cert)->issuers.empty());
}

TEST_F(CertificateCacheTest, OtherAuthoritiesAreLookedForAboveWhoIsKnown) {
  TestCa middle(ca_.Issue({.common_name = "middle", .extended_key_usage = "", .key_usage = "keyCertSign", .ca = true}));
  const std::string leaf = middle.User("a").cert;
  EXPECT_TRUE(Get(leaf)->issuers.empty());
  cache_.UseAuthorities(ca_.pem() + middle.pem());
  EXPECT_EQ(Get(leaf)->issuers.size(), 2u);
  // A connection that came in by it is still of its making, and it may be revoked as it goes.
  cache_.UseAuthorities(TestCa("another").pem());
  EXPECT_EQ(Get(leaf)->issuers.size(), 2u);
}

}  // namespace
}  // namespace jobd::server
