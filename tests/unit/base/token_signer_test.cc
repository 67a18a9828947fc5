#include "base/token_signer.h"

#include <gtest/gtest.h>

#include "base/bounds.h"

namespace jobd::base {
namespace {

const TokenSigner kSigner(std::string(32, 'k'));

TEST(TokenSignerTest, WhatIsAlteredOrTakenElsewhereIsRefused) {
  const std::string token = kSigner.Sign("jobs of ann", "position 7");
  const auto refused = [](const std::string& context, const std::string& text) {
    const auto result = kSigner.Verify(context, text, "page_token");
    return !result.ok() && result.error().code() == Code::kInvalidArgument &&
           result.error().violations().front().field == "page_token";
  };
  EXPECT_TRUE(refused("jobs of bob", token));
  for (size_t i = 0; i < token.size(); ++i) {
    std::string altered = token;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_TRUE(refused("jobs of ann", altered)) << i;
  }
  const std::string huge(kMaxCursorBytes + 1, 'A');
  for (const std::string& text : {std::string(), std::string("A"), token.substr(0, 15), token + "!", huge}) {
    EXPECT_TRUE(refused("jobs of ann", text)) << text.substr(0, 100);
  }
  EXPECT_FALSE(TokenSigner(std::string(32, 'o')).Verify("jobs of ann", token, "page_token").ok()) << "another service's";
}

// Clients keep cursors over an upgrade of the service.
TEST(TokenSignerTest, TheTextIsTheSameInEveryVersion) {
  EXPECT_EQ(kSigner.Sign("c", std::string("\xff\xfe\x00p", 4)), "kfFm2s5b-aMCo0uY__4AcA");
  EXPECT_EQ(kSigner.Verify("c", "kfFm2s5b-aMCo0uY__4AcA", "f").value(), std::string("\xff\xfe\x00p", 4));
}

}  // namespace
}  // namespace jobd::base
