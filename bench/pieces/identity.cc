// Who is calling: the certificate's name, and the whole check of a call.
#include "server/auth/identity.h"

#include <memory>

#include "bench/pieces/piece.h"
#include "server/auth/access.h"
#include "tests/unit/server/test_pki.h"

namespace jobd::bench {
namespace {

using server::testing::TestCa;

void CertificateParse(benchmark::State& state) {
  const std::string pem = TestCa().User("ann").cert;
  for (auto _ : state) {
    const auto certificate = server::ParseCertificate(pem);
    if (!Expect(state, certificate.ok() && certificate->client_auth, "the certificate cannot be read")) break;
  }
  CountItems(state, 1);
}
BENCHMARK(CertificateParse);

void CertificateIdentity(benchmark::State& state) {
  const auto certificate = server::ParseCertificate(TestCa().User("ann").cert);
  if (!Expect(state, certificate.ok(), "the certificate cannot be read")) return;
  const base::Nanos now = base::SystemClock().Realtime();
  for (auto _ : state) {
    const auto name = server::IdentityOf(*certificate, now);
    if (!Expect(state, name.ok() && name->name == "ann", "somebody else")) break;
  }
  CountItems(state, 1);
}
BENCHMARK(CertificateIdentity);

// As at each call, with a certificate that was seen before, a list of revoked ones and many users.
void AccessCheck(benchmark::State& state) {
  std::string users;
  for (int i = 0; i < 1000; ++i) users += "[[user]]\nname = \"user-" + std::to_string(i) + "\"\nrole = \"operator\"\n";
  std::string revoked;
  for (int i = 0; i < 1000; ++i) revoked += "0x" + std::to_string(100'000 + i) + "\n";
  auto parsed_users = config::Users::Parse("users.toml", users);
  auto parsed_list = server::RevocationList::Parse("revoked", revoked);
  if (!Expect(state, parsed_users.ok() && parsed_list.ok(), "the rules cannot be read")) return;
  const base::SystemClock clock;
  server::AccessControl access(
      std::make_shared<const server::AccessRules>(server::AccessRules{*std::move(parsed_users), *std::move(parsed_list)}), clock);
  const std::string pem = TestCa().User("user-999").cert;
  for (auto _ : state) {
    const auto caller = access.Authenticate(pem);
    if (!Expect(state, caller.ok() && caller->name() == "user-999", "somebody else")) break;
  }
  CountItems(state, 1);
}
BENCHMARK(AccessCheck);

}  // namespace
}  // namespace jobd::bench
