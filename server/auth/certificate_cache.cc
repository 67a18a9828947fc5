#include "server/auth/certificate_cache.h"

#include <algorithm>

#include "server/auth/client_chain.h"

namespace jobd::server {
namespace {

// Nothing when the text cannot be read any more.
std::shared_ptr<const Certificate> Renewed(const std::string& text, const Certificate& old, const Authorities& authorities) {
  auto fresh = ParseClientChain(text, authorities);
  if (!fresh.ok()) return nullptr;
  for (const Issuer& issuer : old.issuers) {
    if (std::ranges::find(fresh->issuers, issuer.fingerprint, &Issuer::fingerprint) == fresh->issuers.end())
      fresh->issuers.push_back(issuer);
  }
  return std::make_shared<const Certificate>(*std::move(fresh));
}

}  // namespace

CertificateCache::CertificateCache(std::string ca, const base::Clock& clock) : clock_(clock) {
  state_.Lock()->authorities = std::make_shared<const Authorities>(std::move(ca));
}

CertificateCache::~CertificateCache() = default;

base::Result<std::shared_ptr<const Certificate>> CertificateCache::Get(std::string_view sent) {
  std::string text(sent);
  for (;;) {
    std::shared_ptr<const Authorities> authorities;
    {
      const auto state = state_.Lock();
      if (const auto found = state->known.find(text); found != state->known.end()) {
        found->second.used = clock_.Monotonic();
        return found->second.certificate;
      }
      authorities = state->authorities;
    }
    JOBD_ASSIGN_OR_RETURN(Certificate fresh, ParseClientChain(text, *authorities));
    auto certificate = std::make_shared<const Certificate>(std::move(fresh));
    const auto state = state_.Lock();
    // It would be remembered without the authorities that a reload has just brought.
    if (state->authorities != authorities) continue;
    if (!state->known.contains(text)) MakeRoom(*state, certificate->fingerprint);
    return state->known
        .emplace(std::move(text), Known{.certificate = std::move(certificate), .before = {}, .used = clock_.Monotonic()})
        .first->second.certificate;
  }
}

void CertificateCache::MakeRoom(State& state, const std::string& leaf) {
  const auto goes_first = [](const Known& one, const Known& other) {
    return std::pair(one.IsHeld(), one.used) < std::pair(other.IsHeld(), other.used);
  };
  auto oldest = state.known.end();
  auto oldest_of_leaf = state.known.end();
  size_t of_leaf = 0;
  for (auto it = state.known.begin(); it != state.known.end(); ++it) {
    if (oldest == state.known.end() || goes_first(it->second, oldest->second)) oldest = it;
    if (it->second.certificate->fingerprint != leaf) continue;
    ++of_leaf;
    if (oldest_of_leaf == state.known.end() || goes_first(it->second, oldest_of_leaf->second)) oldest_of_leaf = it;
  }
  if (of_leaf >= kMaxOfLeaf) {
    state.known.erase(oldest_of_leaf);
  } else if (state.known.size() >= kMaxKnown) {
    state.known.erase(oldest);
  }
}

void CertificateCache::UseAuthorities(std::string ca) {
  if (state_.Lock()->authorities->pem() == ca) return;
  SwitchTo(std::make_shared<const Authorities>(std::move(ca)));
}

void CertificateCache::Expect(const std::string& more, const std::string& ca) {
  if (more.empty()) return UseAuthorities(ca);
  if (more == ca) return;
  const auto now = state_.Lock()->authorities;
  SwitchTo(std::make_shared<const Authorities>(*now, more));
}

void CertificateCache::SwitchTo(const std::shared_ptr<const Authorities>& authorities) {
  // Without the lock, as it takes a while with many; those that come in meanwhile are few.
  std::unordered_map<std::string, std::shared_ptr<const Certificate>> fresh;
  for (const auto& [text, certificate] : UsedSince(INT64_MIN)) fresh[text] = Renewed(text, *certificate, *authorities);
  const auto state = state_.Lock();
  state->authorities = authorities;
  for (auto it = state->known.begin(); it != state->known.end();) {
    auto& [text, known] = *it;
    const auto found = fresh.find(text);
    auto renewed = found != fresh.end() ? std::move(found->second) : Renewed(text, *known.certificate, *authorities);
    if (!renewed) {
      it = state->known.erase(it);
      continue;
    }
    if (known.certificate.use_count() > 1 || known.before.expired()) known.before = known.certificate;
    known.certificate = std::move(renewed);
    ++it;
  }
}

std::vector<CertificateCache::Use> CertificateCache::UsedSince(base::Nanos long_ago) const {
  std::vector<Use> used;
  const auto state = state_.Lock();
  for (const auto& [text, known] : state->known) {
    if (known.IsHeld() || known.used > long_ago) used.emplace_back(text, known.certificate);
  }
  return used;
}

}  // namespace jobd::server
