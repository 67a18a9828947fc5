// Certificates for tests, made in memory.
#pragma once

#include <openssl/pem.h>

#include <ctime>
#include <string>
#include <vector>

#include "server/auth/openssl_ptr.h"

namespace jobd::server::testing {

struct Issued {
  std::string cert;  // PEM
  std::string key;
};

struct CertSpec {
  std::string common_name = "test";
  std::vector<std::string> uris;
  std::vector<std::string> dns;
  std::string extended_key_usage = "clientAuth";  // empty: none
  std::string key_usage = "digitalSignature";     // empty: none
  bool ca = false;
  long serial = 0;          // 0: the next
  long not_before = -3600;  // seconds from now
  long not_after = 3600;
};

inline std::string Pem(X509* x509) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), x509);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

inline std::string Pem(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

// An authority that signs whatever is asked for.
class TestCa {
 public:
  explicit TestCa(const std::string& name = "test CA") : key_(EVP_EC_gen("P-256")) {
    CertSpec spec{.common_name = name, .extended_key_usage = "", .key_usage = "keyCertSign,cRLSign", .ca = true};
    x509_ = Make(spec, key_.get());
  }

  // Of a certificate that another authority has issued.
  explicit TestCa(const Issued& issued) {
    const BioPtr cert = BioOf(issued.cert);
    const BioPtr key = BioOf(issued.key);
    x509_.reset(PEM_read_bio_X509(cert.get(), nullptr, nullptr, nullptr));
    key_.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
  }

  std::string pem() const { return Pem(x509_.get()); }

  Issued Issue(const CertSpec& spec) {
    const KeyPtr key(EVP_EC_gen("P-256"));
    const X509Ptr x509 = Make(spec, key.get());
    return {Pem(x509.get()), Pem(key.get())};
  }
  // What make-certs.sh would give a user of this name.
  Issued User(const std::string& name) { return Issue({.common_name = name, .uris = {"spiffe://jobd/user/" + name}}); }
  Issued Host(const std::string& name) { return Issue({.common_name = name, .uris = {"spiffe://jobd/host/" + name}}); }
  Issued Server() { return Issue({.common_name = "server", .dns = {"localhost"}, .extended_key_usage = "serverAuth"}); }

 private:
  static void AddExtension(X509* x509, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
  }
  static void AddName(GENERAL_NAMES* names, int type, const std::string& value) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, value.data(), static_cast<int>(value.size()));
    GENERAL_NAME_set0_value(name, type, text);
    sk_GENERAL_NAME_push(names, name);
  }

  X509Ptr Make(const CertSpec& spec, EVP_PKEY* key) {
    X509Ptr x509(X509_new());
    X509_set_version(x509.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), spec.serial != 0 ? spec.serial : next_serial_++);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), spec.not_before);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), spec.not_after);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(spec.common_name.data()),
                               static_cast<int>(spec.common_name.size()), -1, 0);
    X509_set_issuer_name(x509.get(), X509_get_subject_name(x509_ ? x509_.get() : x509.get()));
    X509_set_pubkey(x509.get(), key);
    AddExtension(x509.get(), NID_basic_constraints, spec.ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!spec.key_usage.empty()) AddExtension(x509.get(), NID_key_usage, "critical," + spec.key_usage);
    if (!spec.extended_key_usage.empty()) AddExtension(x509.get(), NID_ext_key_usage, spec.extended_key_usage);
    if (!spec.uris.empty() || !spec.dns.empty()) {
      const GeneralNamesPtr names(GENERAL_NAMES_new());
      for (const std::string& uri : spec.uris) AddName(names.get(), GEN_URI, uri);
      for (const std::string& dns : spec.dns) AddName(names.get(), GEN_DNS, dns);
      X509_add1_ext_i2d(x509.get(), NID_subject_alt_name, names.get(), 0, 0);
    }
    X509_sign(x509.get(), key_.get(), EVP_sha256());
    return x509;
  }

  KeyPtr key_;
  X509Ptr x509_;
  long next_serial_ = 1;
};

}  // namespace jobd::server::testing
