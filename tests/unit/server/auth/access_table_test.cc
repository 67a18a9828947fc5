#include "server/auth/access_table.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "jobd/v1/admin_service.pb.h"
#include "jobd/v1/auth_service.pb.h"
#include "jobd/v1/job_query_service.pb.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::server {
namespace {

using config::Role;
using enum Reach;

std::set<std::string> MethodsOfTheApi() {
  std::set<std::string> methods;
  for (const auto* file : {jobd::v1::StartRequest::descriptor()->file(), jobd::v1::WhoAmIRequest::descriptor()->file(),
                           jobd::v1::GetBatchRequest::descriptor()->file(), jobd::v1::ExecuteJobRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        const auto* method = file->service(i)->method(j);
        methods.insert("/" + file->service(i)->full_name() + "/" + method->name());
      }
    }
  }
  return methods;
}

TEST(Authz, WhatTheTableDoesNotKnowHasNoRule) {
  EXPECT_EQ(FindRule(""), nullptr);
  EXPECT_EQ(FindRule("/jobd.v1.AdminService/"), nullptr);
  EXPECT_EQ(FindRule("/jobd.v1.AdminService/start"), nullptr);
  EXPECT_EQ(FindRule("/jobd.v1.AdminService/Start/"), nullptr);
  EXPECT_EQ(FindRule("/jobd.v1.JobQueryService/../AdminService/Start"), nullptr);
  EXPECT_EQ(FindRule("/grpc.channelz.v1.Channelz/GetServers"), nullptr);
}

TEST(Authz, EveryMethodOfTheApiHasARuleAndNothingElseOfOursDoes) {
  const auto methods = MethodsOfTheApi();
  ASSERT_GE(methods.size(), 21u);
  for (const std::string& method : methods) EXPECT_NE(FindRule(method), nullptr) << method;
  for (const Rule& rule : Rules()) {
    if (rule.method.starts_with("/jobd.")) {
      EXPECT_TRUE(methods.contains(std::string(rule.method))) << rule.method;
    }
  }
}

TEST(Authz, AViewerChangesNothing) {
  for (const Rule& rule : Rules()) {
    const bool changes = rule.method.starts_with("/jobd.v1.JobScheduleService/") ||
                         (rule.method.starts_with("/jobd.v1.AdminService/") && !rule.method.ends_with("/GetStatus"));
    if (changes) {
      EXPECT_EQ(rule.For(Role::kViewer), kNone) << rule.method;
    }
  }
}

TEST(Authz, OnlyAdminsRunTheService) {
  for (const Rule& rule : Rules()) {
    if (!rule.method.starts_with("/jobd.v1.AdminService/") || rule.method.ends_with("/GetStatus")) continue;
    EXPECT_EQ(rule.For(Role::kViewer), kNone) << rule.method;
    EXPECT_EQ(rule.For(Role::kOperator), kNone) << rule.method;
    EXPECT_EQ(rule.For(Role::kAdmin), kAll) << rule.method;
  }
}

TEST(Authz, AnOperatorReachesOwnBatchesOnly) {
  for (const Rule& rule : Rules()) {
    if (rule.method.starts_with("/jobd.v1.Job")) {
      EXPECT_EQ(rule.For(Role::kOperator), kOwn) << rule.method;
    }
  }
}

TEST(Authz, ForeignOwnersAreNotFoundWhetherTheyExistOrNot) {
  const auto foreign = ResolveOwner("operator2", kOwn, "operator");
  const auto nobody = ResolveOwner("operator2", kOwn, "nobody-at-all");
  ASSERT_FALSE(foreign.ok());
  ASSERT_FALSE(nobody.ok());
  EXPECT_EQ(foreign.error().code(), base::Code::kNotFound);
  EXPECT_EQ(foreign.error().code(), nobody.error().code());
  EXPECT_EQ(foreign.error().message(), nobody.error().message());
}

TEST(Authz, OwnersAreNames) {
  for (const char* bad : {"../admin", "a/b", "-", ".", "a\nb", "ａdmin"}) {
    const auto owner = ResolveOwner("admin", kAll, bad);
    ASSERT_FALSE(owner.ok()) << bad;
    EXPECT_EQ(owner.error().code(), base::Code::kInvalidArgument) << bad;
  }
}

TEST(Authz, TheOwnerIsTheCallerUnlessSaid) {
  EXPECT_EQ(*ResolveOwner("operator", kOwn, ""), "operator");
  EXPECT_EQ(*ResolveOwner("operator", kOwn, "operator"), "operator");
  EXPECT_EQ(*ResolveOwner("viewer", kAll, "operator"), "operator");
}

}  // namespace
}  // namespace jobd::server
