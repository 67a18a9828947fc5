#include "launch/policy.h"

#include <gtest/gtest.h>

#include <functional>

namespace jobd::launch {
namespace {

LaunchRequest Good() {
  LaunchRequest request;
  request.key = {1, 2, 1};
  request.owner = "operator";
  request.correlation_id = "batch";
  request.job_count = 3;
  request.argv = {"true"};
  request.env = {{"PATH", "/bin"}};
  request.workdir = "/tmp";
  request.profile = "open";
  return request;
}

struct Bad {
  const char* name;
  std::function<void(LaunchRequest&)> spoil;
};
class RefusedTest : public testing::TestWithParam<Bad> {};

TEST_P(RefusedTest, IsRefused) {
  LaunchRequest request = Good();
  GetParam().spoil(request);
  const auto status = CheckRequest(request);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), base::Code::kInvalidArgument);
  EXPECT_EQ(status.error().message().find('\n'), std::string::npos);
}

const Bad kBad[] = {
    {"NoBatch", [](auto& r) { r.key.batch = 0; }},
    {"NoIndex", [](auto& r) { r.key.index = 0; }},
    {"NoAttempt", [](auto& r) { r.key.attempt = 0; }},
    {"IndexBehindTheBatch", [](auto& r) { r.key.index = 4; }},
    {"MonstrousBatch", [](auto& r) { r.job_count = ~0u; }},
    {"OwnerClimbs", [](auto& r) { r.owner = ".."; }},
    {"OwnerIsAPath", [](auto& r) { r.owner = "a/b"; }},
    {"OwnerIsEmpty", [](auto& r) { r.owner.clear(); }},
    {"IdClimbs", [](auto& r) { r.correlation_id = "../../etc"; }},
    {"IdHasNul", [](auto& r) { r.correlation_id = std::string("a\0b", 3); }},
    {"IdHasNewline", [](auto& r) { r.correlation_id = "a\nb"; }},
    {"IdIsLong", [](auto& r) { r.correlation_id = std::string(129, 'a'); }},
    {"NoArgv", [](auto& r) { r.argv.clear(); }},
    {"NulInArgv", [](auto& r) { r.argv.emplace_back("a\0b", 3); }},
    {"LongArgument", [](auto& r) { r.argv.emplace_back(kMaxText, 'x'); }},
    {"ManyArguments", [](auto& r) { r.argv.assign(200'000, "x"); }},
    {"LongTogether", [](auto& r) { r.argv.assign(20, std::string(100'000, 'x')); }},
    {"VariableWithoutName", [](auto& r) { r.env.emplace_back("", "x"); }},
    {"VariableNameWithEquals", [](auto& r) { r.env.emplace_back("A=B", "x"); }},
    {"VariableNameWithNul", [](auto& r) { r.env.emplace_back(std::string("A\0B", 3), "x"); }},
    {"VariableWithNul", [](auto& r) { r.env.emplace_back("A", std::string("a\0b", 3)); }},
    {"LongVariable", [](auto& r) { r.env.emplace_back("A", std::string(kMaxText, 'x')); }},
    {"LongStdin", [](auto& r) { r.stdin_data.assign(9u << 20, 'x'); }},
    {"RelativeWorkdir", [](auto& r) { r.workdir = "tmp"; }},
    {"WorkdirWithNul", [](auto& r) { r.workdir = std::string("/a\0b", 4); }},
    {"LongWorkdir", [](auto& r) { r.workdir = "/" + std::string(4096, 'x'); }},
    {"NoProfile", [](auto& r) { r.profile.clear(); }},
    {"UnknownProfile", [](auto& r) { r.profile = "strict\n"; }},
    {"NegativeTimeout", [](auto& r) { r.timeout = -1; }},
    {"EndlessTimeout", [](auto& r) { r.timeout = INT64_MAX; }},
    {"NegativeKillAfter", [](auto& r) { r.kill_after = -1; }},
    {"MonstrousMemory", [](auto& r) { r.limits.memory_bytes = ~0ull; }},
    {"MonstrousCpu", [](auto& r) { r.limits.cpu_millis = ~0u; }},
    {"MonstrousPids", [](auto& r) { r.limits.pids = ~0u; }},
    {"MonstrousOutput", [](auto& r) { r.limits.output_bytes = ~0ull; }},
};
INSTANTIATE_TEST_SUITE_P(Policy, RefusedTest, testing::ValuesIn(kBad), [](const auto& bad) { return bad.param.name; });

TEST(PolicyTest, AProperRequestPasses) {
  EXPECT_TRUE(CheckRequest(Good()).ok());
  LaunchRequest bytes = Good();
  bytes.argv = {"\xff\n;$(x)", ""};
  bytes.workdir.clear();
  EXPECT_TRUE(CheckRequest(bytes).ok()) << "bytes are bytes";
}

LaunchRequest As(const std::string& user) {
  LaunchRequest request = Good();
  request.user = user;
  return request;
}

TEST(RunAsTest, OnlyWhatTheUsersFileNamesForThisOwner) {
  Policy policy{.privileged = true, .own_account = "root", .run_as = {{"operator", {"build"}}, {"operator2", {"root"}}}};
  for (const char* user : {"root", "0", "-1", "4294967295", "#0", "build\n", "nobody", "Build", "operator"}) {
    const auto decided = DecideRunAs(policy, As(user));
    ASSERT_FALSE(decided.ok()) << user;
    EXPECT_EQ(decided.error().code(), base::Code::kPermissionDenied);
  }
  EXPECT_EQ(DecideRunAs(policy, As("build"))->account, "build");
  LaunchRequest other = As("root");
  other.owner = "operator2";
  EXPECT_EQ(DecideRunAs(policy, other)->account, "root") << "root has named it there";
  other.owner = "stranger";
  EXPECT_FALSE(DecideRunAs(policy, other).ok());
}

TEST(RunAsTest, WithoutANameThePolicysChoice) {
  Policy policy{.privileged = true, .own_account = "root"};
  EXPECT_EQ(DecideRunAs(policy, Good())->kind, RunAs::Kind::kOwnUid);
  policy.job_user = "nobody";
  EXPECT_EQ(DecideRunAs(policy, Good())->account, "nobody");
}

TEST(RunAsTest, AnOrdinaryUserCanOnlyBeItself) {
  Policy policy{.privileged = false, .own_account = "me", .run_as = {{"operator", {"me", "build"}}}};
  EXPECT_EQ(DecideRunAs(policy, Good())->kind, RunAs::Kind::kSelf);
  EXPECT_EQ(DecideRunAs(policy, As("me"))->kind, RunAs::Kind::kSelf);
  EXPECT_FALSE(DecideRunAs(policy, As("build")).ok());
  policy.job_user = "nobody";
  EXPECT_FALSE(DecideRunAs(policy, Good()).ok()) << "what cannot be done is refused, not done otherwise";
}

TEST(DecideProfile, AnUnknownOneIsRefused) {
  LaunchRequest request = Good();
  request.profile = "none";
  EXPECT_EQ(DecideProfile(Policy{}, request).error().code(), base::Code::kInvalidArgument);
}

TEST(DecideProfile, TheOwnersListDecidesAndAnEmptyOneAllowsAll) {
  Policy policy;
  LaunchRequest request = Good();
  policy.allowed_profiles[request.owner] = {"strict"};
  EXPECT_EQ(DecideProfile(policy, request).error().code(), base::Code::kPermissionDenied);
  request.profile = "strict";
  EXPECT_EQ((*DecideProfile(policy, request))->name, "strict");
  policy.allowed_profiles[request.owner].clear();
  request.profile = "open";
  EXPECT_EQ((*DecideProfile(policy, request))->name, "open");
}

}  // namespace
}  // namespace jobd::launch
