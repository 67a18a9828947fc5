// What a change of certificates would do to those who use the service, and what will become of them with time.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "server/auth/tls_material.h"

namespace jobd::server {

// Somebody who has come in with a certificate.
struct KnownClient {
  std::string name;
  std::string pem;  // the leaf, and behind it what came with it
};

// Whether `next` keeps in all whom the service serves: its certificate is for every name that `promised` is for (a wildcard covers
// what it matches), it chains to tls.ca if that does, and the clients' authority has signed each of `clients` whom `in_force` lets
// in. `promised` is what is in force or, where somebody forced that, what was before. All passed CheckTlsFiles. kFailedPrecondition
// lists what would be lost.
base::Status CheckTlsChange(const TlsMaterial& promised, const TlsMaterial& in_force, const TlsMaterial& next,
                            const std::vector<KnownClient>& clients, base::Nanos now);

// Whether a certificate that is for `names` is good for `name` too.
bool Covers(const std::vector<std::string>& names, const std::string& name);

// From so long before its end on a certificate is warned of.
inline constexpr base::Nanos kTlsWarnBefore = 14 * 24 * 3600 * base::kNanosPerSecond;

// What is to be seen to: certificates that end soon or have ended, a chain that clients cannot follow, a certificate for no name. A
// line each.
std::vector<std::string> TlsWarnings(const TlsMaterial& material, base::Nanos now);

}  // namespace jobd::server
