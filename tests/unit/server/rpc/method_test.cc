// The method table: what it refuses to be built of.
#include "server/rpc/method.h"

#include <gtest/gtest.h>

#include <vector>

#include "google/api/annotations.pb.h"
#include "jobd/v1/auth_service.pb.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::server {
namespace {

struct NoApi {};
const NoApi kNoApi;

using jobd::v1::GetBatchRequest;
using jobd::v1::WhoAmIRequest;
using jobd::v1::WhoAmIResponse;

template <typename In, typename Out>
void Unary(const NoApi&, CallContext&, const In&, Out&, Reply) {}
constexpr auto WhoAmI = Unary<WhoAmIRequest, WhoAmIResponse>;
constexpr auto Stranger = Unary<WhoAmIRequest, GetBatchRequest>;
base::Result<std::unique_ptr<SourceOf<WhoAmIResponse>>> AsStream(const NoApi&, CallContext&, const WhoAmIRequest&) {
  return base::Error(base::Code::kInternal, "never called");
}

constexpr MethodRule kWhoAmI = {"/jobd.v1.AuthService/WhoAmI", Scope::kAll, Scope::kAll, Scope::kAll};
constexpr MethodRule kNobodys = {"/jobd.v1.AuthService/NoSuchMethod", Scope::kAll, Scope::kAll, Scope::kAll};

// With what the other methods of the same service need.
std::vector<MethodRule> WithOthers(std::vector<MethodRule> rules) {
  for (const char* path : {"/jobd.v1.AuthService/Login", "/jobd.v1.AuthService/Renew", "/jobd.v1.AuthService/Logout"}) {
    rules.push_back({path, Scope::kAll, Scope::kAll, Scope::kAll});
  }
  return rules;
}
std::vector<Handler> WithOthers(std::vector<Handler> handlers) {
  handlers.push_back(Serve(kNoApi, &Unary<jobd::v1::LoginRequest, jobd::v1::LoginResponse>));
  handlers.push_back(Serve(kNoApi, &Unary<jobd::v1::RenewRequest, jobd::v1::RenewResponse>));
  handlers.push_back(Serve(kNoApi, &Unary<jobd::v1::LogoutRequest, jobd::v1::LogoutResponse>));
  return handlers;
}

// What is wrong with a table of these; "" when nothing is.
std::string WrongAlone(const std::vector<MethodRule>& rules, std::vector<Handler> handlers) {
  const auto table = MethodTable::Build(rules, std::move(handlers));
  return table.ok() ? "" : table.error().message();
}
std::string Wrong(const std::vector<MethodRule>& rules, std::vector<Handler> handlers) {
  return WrongAlone(WithOthers(rules), WithOthers(std::move(handlers)));
}

TEST(MethodTable, EveryMethodHasOneRuleAndOneHandlerAndNothingIsLeftOver) {
  EXPECT_EQ(Wrong({kWhoAmI}, {Serve(kNoApi, WhoAmI)}), "");
  EXPECT_NE(Wrong({}, {Serve(kNoApi, WhoAmI)}).find("has no rule"), std::string::npos);
  EXPECT_NE(Wrong({kWhoAmI, kNobodys}, {Serve(kNoApi, WhoAmI)}).find("no handler for the rule"), std::string::npos);
  EXPECT_NE(WrongAlone({kWhoAmI}, {}).find("no handler for the rule"), std::string::npos);
  EXPECT_NE(Wrong({kWhoAmI}, {Serve(kNoApi, WhoAmI), Serve(kNoApi, WhoAmI)}).find("two handlers"), std::string::npos);
  EXPECT_NE(Wrong({kWhoAmI}, {Serve(kNoApi, Stranger)}).find("has no handler"), std::string::npos);
  EXPECT_NE(Wrong({kWhoAmI}, {Serve(kNoApi, WhoAmI), Serve(kNoApi, Stranger)}).find("no method takes"), std::string::npos);
  EXPECT_NE(Wrong({kWhoAmI}, {Serve(kNoApi, &AsStream)}).find("another kind of call"), std::string::npos);
}

TEST(MethodTable, FindsByTheExactPath) {
  const std::vector<MethodRule> rules = WithOthers(std::vector<MethodRule>{kWhoAmI});
  const auto table = MethodTable::Build(rules, WithOthers(std::vector<Handler>{Serve(kNoApi, WhoAmI)}));
  ASSERT_TRUE(table.ok());
  const Method* const method = table->Find("/jobd.v1.AuthService/WhoAmI");
  ASSERT_NE(method, nullptr);
  EXPECT_EQ(method->rule, &rules[0]);
  EXPECT_TRUE(method->is_unary());
  EXPECT_EQ(method->request->GetDescriptor(), WhoAmIRequest::descriptor());
  for (const char* other : {"", "/jobd.v1.AuthService/", "/jobd.v1.AuthService/whoami", "/jobd.v1.AuthService/WhoAmI/"}) {
    EXPECT_EQ(table->Find(other), nullptr) << other;
  }
}

// ---- google.api.http ----

std::string RouteOf(std::string_view text) {
  const auto binding = ParsePathTemplate(text);
  return binding.ok() ? binding->Route() : "";
}

TEST(HttpBinding, PathTemplatesAreReadAsHttpProtoDefinesThem) {
  EXPECT_EQ(RouteOf("/v1/job/search"), " /v1/job/search");
  EXPECT_EQ(RouteOf("/v1/batches/{correlation_id}:cancel"), " /v1/batches/*:cancel");
  EXPECT_EQ(RouteOf("/v1/batches/{correlation_id}/jobs/{index}"), " /v1/batches/*/jobs/*");
  EXPECT_EQ(RouteOf("/v1/{name=batches/*}/artifacts/{path=**}"), " /v1/batches/*/artifacts/**");
  EXPECT_EQ(RouteOf("/v1/service:start"), " /v1/service:start");
  const auto binding = ParsePathTemplate("/v1/{jobs.correlation_id}/x");
  ASSERT_TRUE(binding.ok());
  EXPECT_EQ(binding->segments[1].variable, "jobs.correlation_id");
  for (const char* bad : {"", "v1", "/", "//", "/v1/", "/v1/{", "/v1/{}", "/v1/{a", "/v1/{a=}", "/v1/{a=b", "/v1/{a{b}}",
                          "/v1/{a=**}/b", "/v1:", "/v1:a:b", "/v1:a/b", "/v1/}", "/a{b}"}) {
    EXPECT_EQ(RouteOf(bad), "") << bad;
  }
}

TEST(HttpBinding, ComesFromTheProtos) {
  const auto* const service = jobd::v1::SearchJobRequest::descriptor()->file()->FindServiceByName("JobQueryService");
  const auto bindings = HttpBindingsOf(*service->FindMethodByName("SearchJob"));
  ASSERT_TRUE(bindings.ok());
  ASSERT_EQ(bindings->size(), 1u);
  EXPECT_EQ(bindings->front().Route(), "GET /v1/job/search");
  EXPECT_EQ(bindings->front().body, "");
}

// A service that is made here, with one method that takes GetBatchRequest and this annotation.
base::Result<std::vector<HttpBinding>> Bound(const std::string& path, const std::string& body) {
  google::protobuf::DescriptorPool pool(google::protobuf::DescriptorPool::generated_pool());
  google::protobuf::FileDescriptorProto file;
  file.set_name("test.proto");
  file.set_package("test");
  file.add_dependency("jobd/v1/job_query_service.proto");
  file.add_dependency("google/api/annotations.proto");
  auto* const method = file.add_service()->add_method();
  file.mutable_service(0)->set_name("Test");
  method->set_name("Get");
  method->set_input_type(".jobd.v1.GetBatchRequest");
  method->set_output_type(".jobd.v1.GetBatchResponse");
  auto* const http = method->mutable_options()->MutableExtension(google::api::http);
  http->set_post(path);
  http->set_body(body);
  const auto* const built = pool.BuildFile(file);
  return HttpBindingsOf(*built->service(0)->method(0));
}

TEST(HttpBinding, NamesOnlyFieldsThatExistAndThatAPathCanFill) {
  EXPECT_TRUE(Bound("/v1/batches/{correlation_id}", "*").ok());
  EXPECT_TRUE(Bound("/v1/batches/{correlation_id}", "states").ok());
  EXPECT_FALSE(Bound("/v1/batches/{correlation}", "*").ok());
  EXPECT_FALSE(Bound("/v1/batches/{states}", "*").ok()) << "a repeated field";
  EXPECT_FALSE(Bound("/v1/batches/{correlation_id.x}", "*").ok());
  EXPECT_FALSE(Bound("/v1/batches", "no_such_field").ok());
  EXPECT_FALSE(Bound("v1", "*").ok());
}

}  // namespace
}  // namespace jobd::server
