#include "cli/connect/openssl_setup.h"

#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <string>

namespace jobd::cli {

namespace {

// `Protocol` becomes options of each context, which stay; `MinProtocol` is overridden by gRPC.
constexpr std::string_view kConfiguration =
    "openssl_conf = top\n"
    "[top]\n"
    "ssl_conf = ssl\n"
    "[ssl]\n"
    "system_default = defaults\n"
    "[defaults]\n"
    "Protocol = ALL,-TLSv1.2,-TLSv1.1,-TLSv1\n";

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(CONF* conf) const { NCONF_free(conf); }
};

}  // namespace

std::string TakeOpenSslErrors() {
  std::string text;
  for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(code);
    if (reason == nullptr) continue;
    if (!text.empty()) text += ", ";
    text += reason;
  }
  return text;
}

base::Status RestrictToTls13() {
  const auto failed = [] { return base::Error(base::Code::kInternal, "setting up OpenSSL: " + TakeOpenSslErrors()); };
  if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) return failed();
  OPENSSL_load_builtin_modules();
  const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(kConfiguration.data(), static_cast<int>(kConfiguration.size())));
  const std::unique_ptr<CONF, Free> conf(NCONF_new(nullptr));
  if (bio == nullptr || conf == nullptr || NCONF_load_bio(conf.get(), bio.get(), nullptr) != 1) return failed();
  if (CONF_modules_load(conf.get(), nullptr, 0) != 1) return failed();
  return base::Ok();
}

}  // namespace jobd::cli
