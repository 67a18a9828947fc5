#include "auth/password.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "auth/password_hash.h"

namespace jobd::auth {
namespace {

constexpr std::string_view kSaltAndHash = "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

std::string Problem(std::string_view text) {
  const auto cost = ParsePasswordHash(text);
  return cost.ok() ? "OK" : cost.error().message();
}

std::string With(std::string_view head) { return std::string(head) + std::string(kSaltAndHash); }

// Cheap, so that the tests are quick.
std::unique_ptr<PasswordHasher> Cheap(uint32_t at_once = 4, uint32_t waiting = 256) {
  auto hasher = PasswordHasher::Create({.cost = kLeastHashCost, .at_once = at_once, .waiting = waiting});
  EXPECT_TRUE(hasher.ok());
  return std::move(*hasher);
}

TEST(PasswordHash, RefusesWhatIsNoHash) {
  EXPECT_EQ(Problem(""), "must be an argon2id hash");
  EXPECT_EQ(Problem("hunter2"), "must be an argon2id hash");
  EXPECT_EQ(Problem("$6$salt$hash"), "must be an argon2id hash");
  EXPECT_EQ(Problem(With("$argon2i$v=19$m=65536,t=2,p=1$")), "must be an argon2id hash");
  EXPECT_EQ(Problem(With("$argon2id$v=16$m=65536,t=2,p=1$")), "must be an argon2id hash of version 19");
  EXPECT_EQ(Problem(With("$argon2id$v=19$m=65536,t=2,p=4$")), "must be an argon2id hash of one lane (p=1)");
  for (const char* head : {"$argon2id$v=19$m=,t=2,p=1$", "$argon2id$v=19$m=-1,t=2,p=1$", "$argon2id$v=19$m=065536,t=2,p=1$",
                           "$argon2id$v=19$t=2,m=65536,p=1$", "$argon2id$v=19$m=99999999999,t=2,p=1$"}) {
    EXPECT_EQ(Problem(With(head)), "is not a whole argon2id hash") << head;
  }
  const std::string whole = With("$argon2id$v=19$m=65536,t=2,p=1$");
  EXPECT_EQ(Problem(whole), "OK");
  EXPECT_NE(Problem(whole + "A"), "OK");
  EXPECT_NE(Problem(whole + "\n"), "OK");
  EXPECT_NE(Problem(whole.substr(0, whole.size() - 1)), "OK");
  EXPECT_NE(Problem("$argon2id$v=19$m=65536,t=2,p=1$$"), "OK");
}

TEST(PasswordHash, ThePlantedCostIsBounded) {
  EXPECT_NE(Problem(With("$argon2id$v=19$m=4194304,t=2,p=1$")).find("costs too much"), std::string::npos);
  EXPECT_NE(Problem(With("$argon2id$v=19$m=65536,t=4000000,p=1$")).find("costs too much"), std::string::npos);
  EXPECT_NE(Problem(With("$argon2id$v=19$m=8,t=1,p=1$")).find("too cheap"), std::string::npos);
  // Nothing is spent on one.
  EXPECT_FALSE(Cheap()->Verify(With("$argon2id$v=19$m=4194304,t=2,p=1$"), "password").ok());
}

TEST(Password, WhatMayBeSet) {
  EXPECT_FALSE(CheckNewPassword("").ok());
  EXPECT_FALSE(CheckNewPassword("1234567").ok());
  EXPECT_TRUE(CheckNewPassword("12345678").ok());
  EXPECT_TRUE(CheckNewPassword(std::string(1024, 'x')).ok());
  EXPECT_FALSE(CheckNewPassword(std::string(1025, 'x')).ok());
  EXPECT_FALSE(CheckNewPassword("12345678\n").ok());
  EXPECT_FALSE(CheckNewPassword(std::string_view("1234\0678", 8)).ok());
  EXPECT_FALSE(CheckNewPassword("12345678\xff").ok());
  EXPECT_TRUE(CheckNewPassword("pässwörter mit Leerzeichen").ok());
}

TEST(Password, VerifiesItsOwnAndNoOther) {
  const auto hasher = Cheap();
  const auto hash = hasher->Hash("correct horse");
  ASSERT_TRUE(hash.ok());
  const auto verify = [&](const std::optional<std::string>& stored, std::string_view password) {
    const auto right = hasher->Verify(stored, password);
    EXPECT_TRUE(right.ok());
    return right.ok() && *right;
  };
  EXPECT_TRUE(verify(*hash, "correct horse"));
  EXPECT_FALSE(verify(*hash, "correct horsf"));
  EXPECT_FALSE(verify(*hash, "correct horse "));
  EXPECT_FALSE(verify(*hash, std::string_view("correct horse\0", 14)));
  EXPECT_FALSE(verify(*hash, ""));
  EXPECT_FALSE(verify(std::nullopt, "correct horse"));
  EXPECT_FALSE(verify(std::nullopt, ""));
  EXPECT_FALSE(hasher->Verify("", "correct horse").ok());
  // The same password twice: another salt.
  EXPECT_NE(*hash, *hasher->Hash("correct horse"));
}

TEST(Password, TheDefaultCostIsWhatTheTextSaysAndAnotherIsUpgraded) {
  const auto usual = PasswordHasher::Create({});
  ASSERT_TRUE(usual.ok());
  const auto hash = (*usual)->Hash("correct horse");
  ASSERT_TRUE(hash.ok());
  EXPECT_TRUE(hash->starts_with("$argon2id$v=19$m=65536,t=2,p=1$")) << *hash;
  EXPECT_FALSE((*usual)->NeedsRehash(*hash));
  const auto cheap = Cheap();
  EXPECT_TRUE(cheap->NeedsRehash(*hash));
  const auto old = cheap->Hash("correct horse");
  ASSERT_TRUE(old.ok());
  EXPECT_TRUE((*usual)->NeedsRehash(*old));
  EXPECT_TRUE(*(*usual)->Verify(*old, "correct horse"));
  EXPECT_TRUE(cheap->NeedsRehash("hunter2"));
}

TEST(Password, AnUnlawfulCostIsRefusedAtOnce) {
  EXPECT_FALSE(PasswordHasher::Create({.cost = {.memory_kib = 1024, .passes = 2}}).ok());
  EXPECT_FALSE(PasswordHasher::Create({.at_once = 0}).ok());
}

TEST(Password, ALongOneCostsNothing) {
  const auto hasher = PasswordHasher::Create({});
  ASSERT_TRUE(hasher.ok());
  const std::string megabyte(1 << 20, 'x');
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(*(*hasher)->Verify(std::nullopt, megabyte));
  // A thousand real ones take most of a minute.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(Password, ManyAtOnceAllEndAndTooManyAreRefused) {
  const auto patient = Cheap(2, 64);
  const auto hash = patient->Hash("correct horse");
  ASSERT_TRUE(hash.ok());
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 16; ++i) threads.emplace_back([&] { right += *patient->Verify(*hash, "correct horse") ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 16);

  const auto strict = Cheap(1, 0);
  threads.clear();
  std::atomic<int> done = 0;
  std::atomic<int> refused = 0;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      const auto answer = strict->Verify(*hash, "correct horse");
      if (answer.ok()) {
        ++done;
      } else {
        EXPECT_EQ(answer.error().code(), base::Code::kResourceExhausted);
        ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(done, 1);
  EXPECT_EQ(done + refused, 16);
  // And a turn that was refused costs none: the next one is served.
  EXPECT_TRUE(strict->Verify(*hash, "correct horse").ok());
}

TEST(Password, WipedIsGone) {
  std::string secret = "a secret that is longer than what a string keeps in itself";
  const char* place = secret.data();
  Wipe(secret);
  EXPECT_TRUE(secret.empty());
  EXPECT_EQ(std::count(place, place + 20, '\0'), 20);
}

}  // namespace
}  // namespace jobd::auth
