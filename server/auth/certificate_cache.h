// Clients' certificates that have been parsed, which costs more than the rest of a small call.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "server/auth/certificate.h"

namespace jobd::server {

class Authorities;

// Remembers what ParseClientChain made of each text. What has been unused for longest makes room for what is new, and one leaf
// certificate has room for few texts: whoever sends it with ever other ones behind it displaces nobody else. Thread-safe.
class CertificateCache {
 public:
  static constexpr size_t kMaxKnown = 1024;
  static constexpr size_t kMaxOfLeaf = 4;

  // `ca` is what clients are judged by, in PEM. `clock` outlives this.
  CertificateCache(std::string ca, const base::Clock& clock);
  ~CertificateCache();

  // As ParseClientChain.
  base::Result<std::shared_ptr<const Certificate>> Get(std::string_view sent);
  // From now on `ca` is what stands above clients' certificates. What stood above one that is known stays there: its connections
  // came in by that.
  void UseAuthorities(std::string ca);
  // `more` stands above them, too, until the next UseAuthorities or Expect; empty: `ca` alone again.
  void Expect(const std::string& more, const std::string& ca);

  using Use = std::pair<std::string, std::shared_ptr<const Certificate>>;  // the text, and what it is
  // Of the known ones, those that somebody else holds on to or that were asked for after `long_ago` (monotonic).
  std::vector<Use> UsedSince(base::Nanos long_ago) const;
  size_t size() const { return state_.Lock()->known.size(); }

 private:
  struct Known {
    std::shared_ptr<const Certificate> certificate;  // calls that last hold it, too
    std::weak_ptr<const Certificate> before;         // the same as it was before a reload, which calls from then hold
    base::Nanos used = 0;                            // monotonic
    bool IsHeld() const { return certificate.use_count() > 1 || !before.expired(); }
  };
  struct State {
    std::shared_ptr<const Authorities> authorities;
    std::unordered_map<std::string, Known> known;  // by text
  };
  void SwitchTo(const std::shared_ptr<const Authorities>& authorities);
  static void MakeRoom(State& state, const std::string& leaf);

  const base::Clock& clock_;
  base::Guarded<State> state_;
};

}  // namespace jobd::server
