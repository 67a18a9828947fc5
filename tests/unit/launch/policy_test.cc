#include "launch/launcher/policy.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/bounds.h"

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
    {"LongArgument", [](auto& r) { r.argv.emplace_back(base::kMaxArgBytes + 1, 'x'); }},
    {"ManyArguments", [](auto& r) { r.argv.assign(200'000, "x"); }},
    {"LongTogether", [](auto& r) { r.argv.assign(20, std::string(100'000, 'x')); }},
    {"VariableWithoutName", [](auto& r) { r.env.emplace_back("", "x"); }},
    {"VariableNameWithEquals", [](auto& r) { r.env.emplace_back("A=B", "x"); }},
    {"VariableNameWithNul", [](auto& r) { r.env.emplace_back(std::string("A\0B", 3), "x"); }},
    {"VariableWithNul", [](auto& r) { r.env.emplace_back("A", std::string("a\0b", 3)); }},
    {"LongVariable", [](auto& r) { r.env.emplace_back("A", std::string(base::kMaxArgBytes + 1, 'x')); }},
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
    {"MonstrousFiles", [](auto& r) { r.limits.file_bytes = ~0ull; }},
    {"MonstrousOpenFiles", [](auto& r) { r.limits.open_files = ~0ull; }},
    {"MonstrousTmp", [](auto& r) { r.limits.tmp_bytes = ~0ull; }},
    {"MonstrousRate", [](auto& r) { r.limits.io_read_bytes_per_second = ~0ull; }},
};
INSTANTIATE_TEST_SUITE_P(Policy, RefusedTest, testing::ValuesIn(kBad), [](const auto& bad) { return bad.param.name; });

TEST(PolicyTest, AProperRequestPasses) {
  EXPECT_TRUE(CheckRequest(Good()).ok());
  LaunchRequest bytes = Good();
  bytes.argv = {"\xff\n;$(x)", ""};
  bytes.workdir.clear();
  EXPECT_TRUE(CheckRequest(bytes).ok()) << "bytes are bytes";
}

TEST(PolicyTest, FaultC21WhatTheServerAcceptsIsAcceptedHere) {
  LaunchRequest request = Good();
  request.job_count = base::kMaxJobs;
  request.owner = request.correlation_id = request.profile = std::string(base::kMaxIdBytes, 'a');
  request.argv.assign(base::kMaxArgs, "12345");
  request.env.assign(base::kMaxEnv, {"A", "1234567"});
  request.workdir = "/" + std::string(base::kMaxPathBytes - 1, 'x');
  request.stdin_data.assign(base::kMaxStdinBytes, 'x');
  request.timeout = request.kill_after = base::kMaxDuration;
  request.limits = {.memory_bytes = base::kMaxAmount,
                    .cpu_millis = base::kMaxCpuMillis,
                    .pids = base::kMaxPids,
                    .output_bytes = base::kMaxAmount,
                    .file_bytes = base::kMaxAmount,
                    .open_files = base::kMaxOpenFiles,
                    .tmp_bytes = base::kMaxAmount,
                    .io_read_bytes_per_second = base::kMaxAmount,
                    .io_write_bytes_per_second = base::kMaxAmount,
                    .core_bytes = base::kMaxAmount};
  const auto status = CheckRequest(request);
  EXPECT_TRUE(status.ok()) << status.error().message();
}

LaunchRequest As(const std::string& user) {
  LaunchRequest request = Good();
  request.user = user;
  return request;
}

TEST(RunAsTest, OnlyWhatTheUsersFileNamesForThisOwner) {
  Policy policy{.privileged = true,
                .own_account = "root",
                .owners = {{"operator", {.run_as = {"build"}}}, {"operator2", {.run_as = {"root"}}}}};
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
  Policy policy{.privileged = false, .own_account = "me", .owners = {{"operator", {.run_as = {"me", "build"}}}}};
  EXPECT_EQ(DecideRunAs(policy, Good())->kind, RunAs::Kind::kSelf);
  EXPECT_EQ(DecideRunAs(policy, As("me"))->kind, RunAs::Kind::kSelf);
  EXPECT_FALSE(DecideRunAs(policy, As("build")).ok());
  policy.job_user = "nobody";
  EXPECT_FALSE(DecideRunAs(policy, Good()).ok()) << "what cannot be done is refused, not done otherwise";
}

Policy ForOperator(OwnerRights rights = {}) {
  return {.privileged = true, .own_account = "root", .owners = {{"operator", rights}}};
}

TEST(DecideProfile, AnUnknownOneIsRefused) {
  LaunchRequest request = Good();
  request.profile = "none";
  EXPECT_EQ(DecideProfile(ForOperator(), request).error().code(), base::Code::kInvalidArgument);
}

TEST(DecideProfile, AnOwnerThePolicyDoesNotKnowGetsNone) {
  LaunchRequest request = Good();
  request.owner = "stranger";
  for (const char* profile : {"open", "standard", "strict"}) {
    request.profile = profile;
    EXPECT_EQ(DecideProfile(ForOperator(), request).error().code(), base::Code::kPermissionDenied);
    EXPECT_EQ(DecideProfile(Policy{}, request).error().code(), base::Code::kPermissionDenied);
  }
  EXPECT_EQ(ApplyBounds(ForOperator(), {}, request).error().code(), base::Code::kPermissionDenied);
}

TEST(DecideProfile, TheOwnersListDecidesAndAnEmptyOneAllowsAll) {
  LaunchRequest request = Good();
  const Policy one = ForOperator({.profiles = {"strict"}});
  EXPECT_EQ(DecideProfile(one, request).error().code(), base::Code::kPermissionDenied);
  request.profile = "strict";
  EXPECT_EQ((*DecideProfile(one, request))->name, "strict");
  const Policy all = ForOperator();
  request.profile = "open";
  EXPECT_EQ((*DecideProfile(all, request))->name, "open");
}

TEST(DecideProfile, WhereJobsWouldShareOurAccountOpenNeedsAGrant) {
  LaunchRequest request = Good();
  Policy policy = ForOperator();
  policy.privileged = false;
  const auto refused = DecideProfile(policy, request);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), base::Code::kPermissionDenied);
  EXPECT_NE(refused.error().message().find("users file"), std::string::npos) << "and says the way out";
  request.profile = "standard";
  EXPECT_TRUE(DecideProfile(policy, request).ok());
  policy.owners["operator"].profiles = {"open"};
  request.profile = "open";
  EXPECT_TRUE(DecideProfile(policy, request).ok());
}

TEST(ApplyBounds, MoreThanTheOwnerMayAskForIsRefused) {
  const Policy policy = ForOperator({.bounds = {.max = {.memory_bytes = 100, .open_files = 20}, .timeout = 5}});
  LaunchRequest request = Good();
  request.limits.memory_bytes = 101;
  EXPECT_EQ(ApplyBounds(policy, {}, request).error().code(), base::Code::kPermissionDenied);
  request.limits.memory_bytes = 50;
  request.timeout = 6;
  EXPECT_EQ(ApplyBounds(policy, {}, request).error().code(), base::Code::kPermissionDenied);
}

TEST(ApplyBounds, WhatIsNotAskedForGetsTheMost) {
  const Policy policy =
      ForOperator({.bounds = {.max = {.memory_bytes = 100, .open_files = 20, .tmp_bytes = 30}, .timeout = 5, .workdirs = {}}});
  LaunchRequest request = Good();
  ASSERT_TRUE(ApplyBounds(policy, {.open_files = 10}, request).ok());
  EXPECT_EQ(request.limits, (JobLimits{.memory_bytes = 100, .open_files = 10})) << "no more than the profile has";
  EXPECT_EQ(request.timeout, 5);
}

TEST(ApplyBounds, OtherFoldersAreRefusedButForTheDefault) {
  Policy policy = ForOperator({.bounds = {.workdirs = {"/srv/data"}}});
  LaunchRequest request = Good();
  for (const char* folder : {"/", "/srv", "/srv/database", "/srv/data/../x", "/tmp"}) {
    request.workdir = folder;
    EXPECT_EQ(ApplyBounds(policy, {}, request).error().code(), base::Code::kPermissionDenied) << folder;
  }
  for (const char* folder : {"/srv/data", "/srv/data/x", "/srv//data/./x/", ""}) {
    request.workdir = folder;
    EXPECT_TRUE(ApplyBounds(policy, {}, request).ok()) << folder;
  }
  request.workdir = "/srv/data/x";
  EXPECT_TRUE(WorkdirIsBounded(policy, request));
  policy.default_workdir = "/tmp";
  request.workdir = "/tmp";
  EXPECT_TRUE(ApplyBounds(policy, {}, request).ok());
  EXPECT_FALSE(WorkdirIsBounded(policy, request));
}

}  // namespace
}  // namespace jobd::launch
