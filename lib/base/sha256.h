// SHA-256 (FIPS 180-4): what fingerprints of settings, submissions and backups are.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace jobd::base {

// base::Hex makes the usual text of it.
using Sha256Digest = std::array<std::byte, 32>;

// Of bytes that come in pieces. Not thread-safe. It aborts the process when there is no memory for it: nothing else can fail.
class Sha256 {
 public:
  Sha256();
  void Add(std::string_view bytes);
  // Of all that was added. To be called once, at the end.
  Sha256Digest Take();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

Sha256Digest Sha256Of(std::string_view bytes);

}  // namespace jobd::base
