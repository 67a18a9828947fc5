#include "server/auth/call_admission.h"

#include "server/auth/identity.h"
#include "tests/unit/server/api_fixture.h"

namespace jobd::server {
namespace {

class CallAdmissionTest : public testing::ApiFixture {};

// A call's message may come when its caller has no right any more: what is told of that names who it was, and from where.
TEST_F(CallAdmissionTest, ARefusalAfterTheHeadersNamesWhoAndFromWhere) {
  std::vector<std::string> told;
  CallAdmission admission(access_, limits_, [&told](const CallAdmission::Refused& refused) {
    ASSERT_NE(refused.certificate, nullptr);
    told.push_back(std::string(refused.method) + " of " + std::string(refused.caller) + " from " + std::string(refused.peer) +
                   ", " + CertificateNameForLog(*refused.certificate));
  });
  const MethodRule* const rule = FindMethodRule("/jobd.v1.JobScheduleService/ExecuteJob");
  ASSERT_NE(rule, nullptr);
  const std::string peer = "ipv4:127.0.0.1:4711";
  auto admitted = admission.Admit({.certificate = ca_.User("operator").cert, .authorization = {}, .peer = peer}, *rule);
  ASSERT_TRUE(admitted.ok()) << admitted.error().message();
  ASSERT_TRUE(admission.AdmitAgain(*admitted, *rule, peer).ok());
  EXPECT_TRUE(told.empty());

  const std::string said = "/jobd.v1.JobScheduleService/ExecuteJob of operator from " + peer + ", spiffe://jobd/user/operator";
  const std::string admin = "[[user]]\nname = \"admin\"\nrole = \"admin\"\n[[user]]\nname = \"operator\"\n";
  files_.users = admin + "role = \"viewer\"\n";
  ASSERT_TRUE(reloader_.Reload(false).ok());
  EXPECT_EQ(admission.AdmitAgain(*admitted, *rule, peer).error().code(), base::Code::kPermissionDenied);
  files_.users = admin + "role = \"operator\"\ndisabled = true\n";
  ASSERT_TRUE(reloader_.Reload(false).ok());
  EXPECT_EQ(admission.AdmitAgain(*admitted, *rule, peer).error().code(), base::Code::kUnauthenticated);
  EXPECT_EQ(told, (std::vector<std::string>{said, said}));
}

}  // namespace
}  // namespace jobd::server
