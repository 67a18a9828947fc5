#include "server/auth/access_table.h"

#include <gtest/gtest.h>

namespace jobd::server {
namespace {

using config::Role;
using enum Scope;

TEST(AccessTable, WhatTheTableDoesNotKnowHasNoRule) {
  EXPECT_EQ(FindMethodRule(""), nullptr);
  EXPECT_EQ(FindMethodRule("/jobd.v1.AdminService/"), nullptr);
  EXPECT_EQ(FindMethodRule("/jobd.v1.AdminService/start"), nullptr);
  EXPECT_EQ(FindMethodRule("/jobd.v1.AdminService/Start/"), nullptr);
  EXPECT_EQ(FindMethodRule("/jobd.v1.JobQueryService/../AdminService/Start"), nullptr);
  EXPECT_EQ(FindMethodRule("/grpc.channelz.v1.Channelz/GetServers"), nullptr);
}

TEST(AccessTable, AViewerChangesNothing) {
  for (const MethodRule& rule : MethodRules()) {
    const bool changes = rule.method.starts_with("/jobd.v1.JobScheduleService/") ||
                         (rule.method.starts_with("/jobd.v1.AdminService/") && !rule.method.ends_with("/GetStatus"));
    if (changes) {
      EXPECT_EQ(rule.For(Role::kViewer), kNone) << rule.method;
    }
  }
}

TEST(AccessTable, OnlyAdminsRunTheService) {
  for (const MethodRule& rule : MethodRules()) {
    if (!rule.method.starts_with("/jobd.v1.AdminService/") || rule.method.ends_with("/GetStatus")) continue;
    EXPECT_EQ(rule.For(Role::kViewer), kNone) << rule.method;
    EXPECT_EQ(rule.For(Role::kOperator), kNone) << rule.method;
    EXPECT_EQ(rule.For(Role::kAdmin), kAll) << rule.method;
  }
}

TEST(AccessTable, AnOperatorReachesOwnBatchesOnly) {
  for (const MethodRule& rule : MethodRules()) {
    if (rule.method.starts_with("/jobd.v1.Job")) {
      EXPECT_EQ(rule.For(Role::kOperator), kOwn) << rule.method;
    }
  }
}

TEST(AccessTable, AHostAloneLogsInAndAsksForHealth) {
  for (const MethodRule& rule : MethodRules()) {
    const bool may = rule.method == "/jobd.v1.AuthService/Login" || rule.method.starts_with("/grpc.health.v1.Health/");
    EXPECT_EQ(rule.host != kNone, may) << rule.method;
  }
}

TEST(AccessTable, OnlyLoginLooksAtNoToken) {
  for (const MethodRule& rule : MethodRules()) {
    EXPECT_EQ(rule.carries == Carries::kCertificate, rule.method == "/jobd.v1.AuthService/Login") << rule.method;
  }
}

TEST(AccessTable, ForeignOwnersAreNotFoundWhetherTheyExistOrNot) {
  const auto foreign = ResolveOwner("operator2", kOwn, "operator");
  const auto nobody = ResolveOwner("operator2", kOwn, "nobody-at-all");
  ASSERT_FALSE(foreign.ok());
  ASSERT_FALSE(nobody.ok());
  EXPECT_EQ(foreign.error().code(), base::Code::kNotFound);
  EXPECT_EQ(foreign.error().code(), nobody.error().code());
  EXPECT_EQ(foreign.error().message(), nobody.error().message());
}

TEST(AccessTable, OwnersAreNames) {
  for (const char* bad : {"../admin", "a/b", "-", ".", "a\nb", "ａdmin"}) {
    const auto owner = ResolveOwner("admin", kAll, bad);
    ASSERT_FALSE(owner.ok()) << bad;
    EXPECT_EQ(owner.error().code(), base::Code::kInvalidArgument) << bad;
  }
}

TEST(AccessTable, TheOwnerIsTheCallerUnlessSaid) {
  EXPECT_EQ(*ResolveOwner("operator", kOwn, ""), "operator");
  EXPECT_EQ(*ResolveOwner("operator", kOwn, "operator"), "operator");
  EXPECT_EQ(*ResolveOwner("viewer", kAll, "operator"), "operator");
}

}  // namespace
}  // namespace jobd::server
