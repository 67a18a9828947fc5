#include "server/grpc/rpc_server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>

#include "server/grpc/connections/header_limit.h"

namespace jobd::server {
namespace {

constexpr int kMaxMessage = 4 << 20;
constexpr size_t kTransportMemory = 64u << 20;
constexpr int kMaxStreamsPerConnection = 128;
// At a time, and so what a connection has looked at before another's turn comes.
constexpr int kMaxRead = 64 << 10;

// Each number answers an attack that was tried: CONTRIBUTING.md has the findings.
void SetLimits(grpc::ServerBuilder& builder) {
  grpc::ResourceQuota quota("jobd");
  quota.Resize(kTransportMemory);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kMaxMessage);
  builder.SetMaxSendMessageSize(kMaxMessage);
  // A megabyte of gzip may be a gigabyte of zeros.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, int{kMaxMetadata});
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kMaxRead);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, static_cast<int>(kHandshakeLimit / base::kNanosPerMilli));
  // Clients may ping every 30 s, to keep a quiet stream through a firewall; we find dead ones in 80 s.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  // A connection without calls gives its place back.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 600'000);
}

}  // namespace

base::Result<std::unique_ptr<RpcServer>> RpcServer::Start(RpcServerOptions options,
                                                          std::shared_ptr<grpc::ServerCredentials> credentials,
                                                          std::vector<std::unique_ptr<grpc::Service>> services,
                                                          std::unique_ptr<grpc::CallbackGenericService> unknown) {
  std::unique_ptr<RpcServer> result(new RpcServer(options.guard, std::move(services), std::move(unknown)));
  result->address_ = options.listener.address;
  grpc::ServerBuilder builder;
  SetLimits(builder);
  result->watch_.Install(builder);
  using Builder = grpc::ServerBuilder::experimental_type;
  auto acceptor =
      builder.experimental().AddExternalConnectionAcceptor(Builder::ExternalConnectionType::FROM_FD, std::move(credentials));
  for (const auto& service : result->services_) builder.RegisterService(service.get());
  builder.RegisterCallbackGenericService(result->unknown_.get());
  result->server_ = builder.BuildAndStart();
  if (!result->server_) return base::Error(base::Code::kInternal, "gRPC does not start with these credentials");
  JOBD_ASSIGN_OR_RETURN(*result->accept_loop_.Lock(),
                        AcceptLoop::Start(std::move(options.listener), std::move(acceptor), options.connections,
                                          options.max_connections_per_address, std::move(options.on_refused)));
  return result;
}

RpcServer::RpcServer(ConnectionGuard& guard, std::vector<std::unique_ptr<grpc::Service>> services,
                     std::unique_ptr<grpc::CallbackGenericService> unknown)
    : watch_(guard), services_(std::move(services)), unknown_(std::move(unknown)) {}

RpcServer::~RpcServer() { Shutdown(0); }

void RpcServer::SetMaxPerAddress(uint32_t limit) {
  const auto accept_loop = accept_loop_.Lock();
  if (*accept_loop) (*accept_loop)->SetMaxPerAddress(limit);
}

void RpcServer::StopAccepting() { accept_loop_.Lock()->reset(); }

void RpcServer::Shutdown(int grace_ms) {
  StopAccepting();
  if (!server_) return;
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(grace_ms));
  server_->Wait();
  server_.reset();
}

}  // namespace jobd::server
