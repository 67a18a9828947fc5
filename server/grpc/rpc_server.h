// The gRPC server on the network: limits, credentials, services and connections.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "base/listener.h"
#include "base/result.h"
#include "server/grpc/connections/accept_loop.h"
#include "server/grpc/connections/transport_watch.h"

namespace grpc {
class CallbackGenericService;
class Server;
class ServerCredentials;
class Service;
}  // namespace grpc

namespace jobd::server {

struct RpcServerOptions {
  base::Listener listener;
  ConnectionTable& connections;  // outlives the server
  ConnectionGuard& guard;        // as well
  uint32_t max_connections_per_address = 256;
  AcceptLoop::OnRefused on_refused;
};

// Serves `services`, and answers with `unknown` what is none of their methods.
class RpcServer {
 public:
  // Serves when it returns.
  static base::Result<std::unique_ptr<RpcServer>> Start(RpcServerOptions options,
                                                        std::shared_ptr<grpc::ServerCredentials> credentials,
                                                        std::vector<std::unique_ptr<grpc::Service>> services,
                                                        std::unique_ptr<grpc::CallbackGenericService> unknown);
  // Shuts down without waiting.
  ~RpcServer();

  const std::string& address() const { return address_; }
  // Thread-safe with all but the destructor.
  void SetMaxPerAddress(uint32_t limit);

  // New connections are refused from now on.
  void StopAccepting();
  // Ends: calls have `grace_ms` to finish, then they are cancelled. Blocks until all are done.
  void Shutdown(int grace_ms);

 private:
  RpcServer(ConnectionGuard& guard, std::vector<std::unique_ptr<grpc::Service>> services,
            std::unique_ptr<grpc::CallbackGenericService> unknown);

  TransportWatch watch_;                                         // outlives server_
  const std::vector<std::unique_ptr<grpc::Service>> services_;   // as well
  const std::unique_ptr<grpc::CallbackGenericService> unknown_;  // as well
  std::unique_ptr<grpc::Server> server_;
  base::Guarded<std::unique_ptr<AcceptLoop>> accept_loop_;  // none: it has stopped
  std::string address_;
};

}  // namespace jobd::server
