#include "server/auth/identity.h"

#include <gtest/gtest.h>

#include "server/auth/access.h"
#include "tests/unit/server/test_pki.h"

namespace jobd::server {
namespace {

using testing::CertSpec;
using testing::TestCa;

base::Nanos Now() { return base::SystemClock().Realtime(); }

base::Result<Identity> WhoIs(const CertSpec& spec, base::Nanos now = Now()) {
  static TestCa ca;
  auto certificate = ParseCertificate(ca.Issue(spec).cert);
  if (!certificate.ok()) return certificate.error();
  return IdentityOf(*certificate, now);
}

// A user's.
base::Result<std::string> NameOf(const CertSpec& spec, base::Nanos now = Now()) {
  const auto identity = WhoIs(spec, now);
  if (!identity.ok()) return identity.error();
  EXPECT_EQ(identity->kind, CallerKind::kUser);
  return identity->name;
}

CertSpec WithUris(std::vector<std::string> uris) { return {.uris = std::move(uris)}; }

class BadUri : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(BadUri, IsNobody) {
  const auto name = NameOf(WithUris(GetParam()));
  ASSERT_FALSE(name.ok());
  EXPECT_EQ(name.error().code(), base::Code::kUnauthenticated);
}

INSTANTIATE_TEST_SUITE_P(
    Identity, BadUri,
    ::testing::Values(std::vector<std::string>{}, std::vector<std::string>{"spiffe://jobd/user/a", "spiffe://jobd/user/b"},
                      std::vector<std::string>{"spiffe://jobd/user/a", "spiffe://jobd/user/a"},
                      std::vector<std::string>{"spiffe://jobd/user/a", "https://example.com"},
                      std::vector<std::string>{"spiffe://other/user/admin"}, std::vector<std::string>{"spiffe://jobd/admin"},
                      std::vector<std::string>{"SPIFFE://jobd/user/admin"}, std::vector<std::string>{"spiffe://JOBD/user/admin"},
                      std::vector<std::string>{"spiffe://jobd/user/"}, std::vector<std::string>{"spiffe://jobd/user/admin/"},
                      std::vector<std::string>{"spiffe://jobd/user/admin/../operator2"},
                      std::vector<std::string>{"spiffe://jobd/user/%61dmin"}, std::vector<std::string>{" spiffe://jobd/user/admin"},
                      std::vector<std::string>{"spiffe://jobd/user/admin "}, std::vector<std::string>{"spiffe://jobd/user/admin\n"},
                      std::vector<std::string>{"spiffe://jobd/user/admin?x"},
                      std::vector<std::string>{std::string("spiffe://jobd/user/admin\0evil", 29)},
                      std::vector<std::string>{std::string("spiffe://jobd/user/admin\0", 25)},
                      std::vector<std::string>{"spiffe://jobd/user/\xd0\xb0"
                                               "dmin"},
                      std::vector<std::string>{"spiffe://jobd/user/" + std::string(129, 'a')},
                      std::vector<std::string>{"spiffe://jobd/user/" + std::string(4096, 'a')}));

TEST(Identity, AHostIsNoUserOfItsName) {
  EXPECT_EQ(*WhoIs(WithUris({"spiffe://jobd/host/web"})), (Identity{CallerKind::kHost, "web"}));
  EXPECT_EQ(*WhoIs(WithUris({"spiffe://jobd/user/web"})), (Identity{CallerKind::kUser, "web"}));
  for (const char* bad :
       {"spiffe://jobd/host/", "spiffe://jobd/host/web/", "spiffe://jobd/host/../user/admin", "spiffe://jobd/hosts/web",
        "spiffe://jobd/HOST/web", "spiffe://jobd/host", "spiffe://jobd/host/user/admin"}) {
    EXPECT_FALSE(WhoIs(WithUris({bad})).ok()) << bad;
  }
  EXPECT_FALSE(WhoIs(WithUris({"spiffe://jobd/host/web", "spiffe://jobd/user/web"})).ok());
}

TEST(Identity, CaseIsKept) { EXPECT_EQ(*NameOf(WithUris({"spiffe://jobd/user/Admin"})), "Admin"); }

TEST(Identity, NoOtherNameCounts) {
  EXPECT_FALSE(NameOf({.common_name = "admin"}).ok());
  EXPECT_FALSE(NameOf({.common_name = "spiffe://jobd/user/admin", .dns = {"spiffe://jobd/user/admin"}}).ok());
  EXPECT_EQ(*NameOf({.common_name = "admin", .uris = {"spiffe://jobd/user/viewer"}, .dns = {"spiffe://jobd/user/admin"}}),
            "viewer");
}

TEST(Identity, ThePurposeMustBeStated) {
  CertSpec spec = WithUris({"spiffe://jobd/user/a"});
  spec.extended_key_usage = "";
  EXPECT_FALSE(NameOf(spec).ok());
  spec.extended_key_usage = "serverAuth";
  EXPECT_FALSE(NameOf(spec).ok());
  spec.extended_key_usage = "serverAuth,clientAuth";
  EXPECT_TRUE(NameOf(spec).ok());
  spec.key_usage = "";
  EXPECT_FALSE(NameOf(spec).ok());
  spec.key_usage = "keyEncipherment";
  EXPECT_FALSE(NameOf(spec).ok());
}

TEST(Identity, AnAuthorityIsNoClient) {
  CertSpec spec = WithUris({"spiffe://jobd/user/a"});
  spec.ca = true;
  EXPECT_FALSE(NameOf(spec).ok());
}

TEST(Identity, HoldsFromItsFirstToItsLastSecond) {
  const CertSpec spec = WithUris({"spiffe://jobd/user/a"});
  EXPECT_TRUE(NameOf(spec).ok());
  EXPECT_FALSE(NameOf(spec, Now() + 3700 * base::kNanosPerSecond).ok());
  EXPECT_FALSE(NameOf(spec, Now() - 3700 * base::kNanosPerSecond).ok());
}

TEST(Access, RevokedDisabledAndUnknownAreRefused) {
  TestCa ca;
  const auto users = config::Users::Parse("users.toml",
                                          "[[user]]\nname = \"a\"\nrole = \"operator\"\n"
                                          "[[user]]\nname = \"b\"\nrole = \"operator\"\ndisabled = true\n");
  ASSERT_TRUE(users.ok()) << users.error().message();
  const base::SystemClock clock;
  AccessRules rules{.users = *users};
  AccessControl access(std::make_shared<const AccessRules>(rules), clock);
  const std::string a = ca.User("a").cert;
  ASSERT_TRUE(access.Authenticate(a).ok());
  EXPECT_EQ(access.Authenticate(a)->role(), config::Role::kOperator);
  const auto disabled = access.Authenticate(ca.User("b").cert);
  const auto unknown = access.Authenticate(ca.User("c").cert);
  ASSERT_FALSE(disabled.ok());
  ASSERT_FALSE(unknown.ok());
  // But for the name, which is the caller's own.
  EXPECT_EQ(disabled.error().message().substr(3), unknown.error().message().substr(3));
  EXPECT_FALSE(access.Authenticate("").ok());
  EXPECT_FALSE(access.Authenticate("garbage").ok());

  rules.revoked = *RevocationList::Parse("revoked", ParseCertificate(a)->fingerprint);
  access.Replace(std::make_shared<const AccessRules>(rules));
  const auto revoked = access.Authenticate(a);
  ASSERT_FALSE(revoked.ok());
  EXPECT_EQ(revoked.error().code(), base::Code::kUnauthenticated);
}

}  // namespace
}  // namespace jobd::server
