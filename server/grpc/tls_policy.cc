#include "server/grpc/tls_policy.h"

#include <openssl/conf.h>
#include <openssl/crypto.h>

#include <string_view>

#include "server/auth/openssl_ptr.h"

namespace jobd::server {
namespace {

constexpr std::string_view kPolicy =
    "jobd = jobd_modules\n"
    "[jobd_modules]\n"
    "ssl_conf = jobd_ssl\n"
    "[jobd_ssl]\n"
    "system_default = jobd_tls\n"
    "[jobd_tls]\n"
    "Protocol = ALL,-TLSv1.2,-TLSv1.1,-TLSv1,-SSLv3\n"
    "NumTickets = 0\n";

using ConfPtr = std::unique_ptr<CONF, OpensslFree<NCONF_free>>;

}  // namespace

base::Status ApplyTlsPolicy() {
  // Loading openssl.cnf happens once per process and would replace the sections set here; this uses that one time up.
  if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1 ||
      OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) {
    return base::Error(base::Code::kInternal, "initialising OpenSSL failed");
  }
  OPENSSL_load_builtin_modules();
  const ConfPtr conf(NCONF_new(nullptr));
  const BioPtr text = BioOf(kPolicy);
  long bad_line = 0;
  if (!conf || !text || NCONF_load_bio(conf.get(), text.get(), &bad_line) != 1 || CONF_modules_load(conf.get(), "jobd", 0) != 1) {
    return base::Error(base::Code::kInternal, "OpenSSL does not take the TLS policy");
  }
  return base::Ok();
}

}  // namespace jobd::server
