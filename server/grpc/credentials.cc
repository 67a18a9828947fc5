#include "server/grpc/credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <string>

#include "server/grpc/connections/connection_guard.h"
#include "server/grpc/connections/transport_watch.h"

namespace jobd::server {
namespace {

// ---- certificates, to each handshake ----

grpc_ssl_certificate_config_reload_status Fetch(void* user_data, grpc_ssl_server_certificate_config** config) {
  const auto material = static_cast<TlsState*>(user_data)->TakeChanged();
  if (!material) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair{material->pem.key.c_str(), material->pem.cert.c_str()};
  *config = grpc_ssl_server_certificate_config_create(ClientCaOf(material->pem).c_str(), &pair, 1);
  return *config != nullptr ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
}

// ---- the guard, at each call ----

void Process(void* state, grpc_auth_context* context, const grpc_metadata* /*metadata*/, size_t /*count*/,
             grpc_process_auth_metadata_done_cb done, void* user_data) {
  if (static_cast<ConnectionGuard*>(state)->MayGoOn(ConnectionOf(context))) {
    done(user_data, nullptr, 0, nullptr, 0, GRPC_STATUS_OK, nullptr);
  } else {
    done(user_data, nullptr, 0, nullptr, 0, GRPC_STATUS_RESOURCE_EXHAUSTED, "you have too many calls on their way");
  }
}

// gRPC's C++ API has no certificate config fetcher; its C API has. A server asks its credentials for nothing but AddPortToServer.
class FetchingCredentials final : public grpc::ServerCredentials {
 public:
  FetchingCredentials(TlsState& state, ConnectionGuard& guard) {
    auto* options = grpc_ssl_server_credentials_create_options_using_config_fetcher(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, &Fetch, &state);
    credentials_ = grpc_ssl_server_credentials_create_with_options(options);
    const grpc_auth_metadata_processor processor{&Process, nullptr, &guard};
    grpc_server_credentials_set_auth_metadata_processor(credentials_, processor);
  }
  ~FetchingCredentials() override { grpc_server_credentials_release(credentials_); }
  FetchingCredentials(const FetchingCredentials&) = delete;
  FetchingCredentials& operator=(const FetchingCredentials&) = delete;

  // The guard is the processor; with another, nothing would be counted.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* credentials_ = nullptr;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(TlsState& state, ConnectionGuard& guard) {
  return std::make_shared<FetchingCredentials>(state, guard);
}

}  // namespace jobd::server
