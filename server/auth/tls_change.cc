#include "server/auth/tls_change.h"

#include <algorithm>

#include "base/units.h"
#include "server/auth/certificate_chain.h"

namespace jobd::server {
namespace {

constexpr size_t kMaxListed = 8;

void AddTo(std::string& list, const std::string& item) { list += (list.empty() ? "" : ", ") + item; }

std::string MissingNames(const TlsMaterial& old, const TlsMaterial& next) {
  std::string missing;
  size_t count = 0;
  for (const std::string& name : old.names) {
    if (!Covers(next.names, name) && ++count <= kMaxListed) AddTo(missing, name);
  }
  return count > kMaxListed ? missing + " and " + std::to_string(count - kMaxListed) + " more" : missing;
}

TrustStore ClientAuthorities(const TlsMaterial& material) {
  const auto roots = ReadChain(ClientCaOf(material.pem), "client_ca");
  const std::vector<X509Ptr> none;
  return TrustStore(roots.ok() ? *roots : none);
}

std::string LockedOut(const TlsMaterial& old, const TlsMaterial& next, const std::vector<KnownClient>& clients, base::Nanos now) {
  std::string out;
  if (ClientCaOf(old.pem) == ClientCaOf(next.pem)) return out;
  size_t count = 0;
  std::vector<std::string> told;
  const TrustStore before = ClientAuthorities(old);
  const TrustStore after = ClientAuthorities(next);
  for (const KnownClient& client : clients) {
    if (std::ranges::find(told, client.name) != told.end()) continue;
    if (after.Check(client.pem, ChainFor::kClient, now).ok()) continue;
    // Who is out already is not locked out by this.
    if (!before.Check(client.pem, ChainFor::kClient, now).ok()) continue;
    told.push_back(client.name);
    if (++count <= kMaxListed) AddTo(out, client.name);
  }
  return count > kMaxListed ? out + " and " + std::to_string(count - kMaxListed) + " more" : out;
}

}  // namespace

bool Covers(const std::vector<std::string>& names, const std::string& name) {
  if (std::ranges::find(names, name) != names.end()) return true;
  // A wildcard stands for one label, the first.
  const size_t dot = name.find('.');
  const bool numeric = name.find_first_not_of("0123456789.") == std::string::npos || name.find(':') != std::string::npos;
  if (dot == std::string::npos || dot == 0 || numeric) return false;
  return std::ranges::find(names, "*" + name.substr(dot)) != names.end();
}

base::Status CheckTlsChange(const TlsMaterial& promised, const TlsMaterial& in_force, const TlsMaterial& next,
                            const std::vector<KnownClient>& clients, base::Nanos now) {
  std::string lost;
  if (const std::string names = MissingNames(promised, next); !names.empty()) {
    lost = "tls.cert is not for " + names + ", as the one in force is: clients that connect by that name would be locked out";
  }
  if (promised.broken_chain.empty() && !next.broken_chain.empty()) lost += (lost.empty() ? "" : "; ") + next.broken_chain;
  if (const std::string out = LockedOut(in_force, next, clients, now); !out.empty()) {
    lost += std::string(lost.empty() ? "" : "; ") + (next.pem.client_ca.empty() ? "tls.ca" : "tls.client_ca") +
            " is not the authority of certificates that are in use: " + out + " would be locked out";
  }
  if (lost.empty()) return base::Ok();
  return base::Error(base::Code::kFailedPrecondition, lost);
}

std::vector<std::string> TlsWarnings(const TlsMaterial& material, base::Nanos now) {
  std::vector<std::string> warnings;
  for (const TlsEnd& end : material.ends) {
    const int64_t left = end.not_after - now / base::kNanosPerSecond;
    if (left > kTlsWarnBefore / base::kNanosPerSecond) continue;
    constexpr int64_t kDay = 24 * 3600;
    const std::string when = left < 0          ? "has ended"
                             : left <= 3600    ? "ends within an hour"
                             : left < 2 * kDay ? "ends in " + std::to_string(left / 3600) + " hours"
                                               : "ends in " + std::to_string(left / kDay) + " days";
    warnings.push_back(end.what + " " + when + " (" + base::FormatUtc(end.not_after) + "): renew it");
  }
  if (!material.broken_chain.empty()) {
    warnings.push_back(material.broken_chain + ": clients need the authority of tls.cert to know the service");
  }
  if (material.names.empty()) warnings.emplace_back("tls.cert is for no name or address: no client will know the service by it");
  return warnings;
}

}  // namespace jobd::server
