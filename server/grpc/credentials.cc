#include "server/grpc/credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>

#include <string>
#include <string_view>

namespace jobd::server {
namespace {

// ---- certificates, to each handshake ----

grpc_ssl_certificate_config_reload_status Fetch(void* user_data, grpc_ssl_server_certificate_config** config) {
  const auto material = static_cast<TlsState*>(user_data)->TakeChanged();
  if (!material) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair{material->pem.key.c_str(), material->pem.cert.c_str()};
  *config = grpc_ssl_server_certificate_config_create(material->pem.ca.c_str(), &pair, 1);
  return *config != nullptr ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
}

// ---- the gate, at each call ----

std::string_view PropertyOf(const grpc_auth_context* context, const char* name) {
  auto found = grpc_auth_context_find_properties_by_name(context, name);
  const grpc_auth_property* property = grpc_auth_property_iterator_next(&found);
  return property == nullptr ? std::string_view() : std::string_view(property->value, property->value_length);
}

std::string_view Text(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)), GRPC_SLICE_LENGTH(slice)};
}

void Process(void* state, grpc_auth_context* context, const grpc_metadata* metadata, size_t count,
             grpc_process_auth_metadata_done_cb done, void* user_data) {
  std::string_view path;
  for (size_t i = 0; i < count; ++i) {
    if (Text(metadata[i].key) == ":path") path = Text(metadata[i].value);
  }
  const grpc::Status status = static_cast<const Gate*>(state)->Check(PropertyOf(context, GRPC_X509_PEM_CERT_PROPERTY_NAME), path);
  done(user_data, nullptr, 0, nullptr, 0, static_cast<grpc_status_code>(status.error_code()), status.error_message().c_str());
}

// gRPC's C++ API has no certificate config fetcher; its C API has. A server asks its credentials for nothing but AddPortToServer.
class FetchingCredentials final : public grpc::ServerCredentials {
 public:
  FetchingCredentials(TlsState& state, const Gate& gate) {
    auto* options = grpc_ssl_server_credentials_create_options_using_config_fetcher(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, &Fetch, &state);
    credentials_ = grpc_ssl_server_credentials_create_with_options(options);
    // The C interface takes a mutable pointer for every processor; this one only reads.
    const grpc_auth_metadata_processor processor{&Process, nullptr, const_cast<Gate*>(&gate)};
    grpc_server_credentials_set_auth_metadata_processor(credentials_, processor);
  }
  ~FetchingCredentials() override { grpc_server_credentials_release(credentials_); }
  FetchingCredentials(const FetchingCredentials&) = delete;
  FetchingCredentials& operator=(const FetchingCredentials&) = delete;

  // The gate is the processor; another would open the door beside it.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* credentials_ = nullptr;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(TlsState& state, const Gate& gate) {
  return std::make_shared<FetchingCredentials>(state, gate);
}

}  // namespace jobd::server
