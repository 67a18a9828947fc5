// gRPC's connections, watched and stopped where no code of ours is called.
#pragma once

#include <grpcpp/security/auth_context.h>

#include <cstdint>

struct grpc_auth_context;
namespace grpc {
class ServerBuilder;
}

namespace jobd::server {

class ConnectionGuard;

// gRPC 1.51 has no hook before a call has been made, has gone through all its filters and has waited in its queues, and none at all
// where a call ends on the way or a connection closes. There is one between its object files: libgrpc.a is linked statically, and
// the linker (--wrap, CMakeLists.txt beside this) puts functions of transport_watch.cc before these of gRPC's:
//
//   grpc_create_chttp2_transport              a handshake is over: Open
//   grpc_chttp2_perform_read                  a piece of what was read is looked at; an error ends the connection: MustEnd,
//                                             HeaderLimit
//   grpc_endpoint_read                        it wants to read on; put off where ReadPace says so
//   grpc_chttp2_parsing_accept_stream         a HEADERS frame begins a call; without one it is passed over: MayBegin
//   grpc_core::HPackParser::BeginFrame        a frame of headers; told how much it may take: MetadataLimit
//   grpc_chttp2_header_parser_parse           which they were, or are not HPACK: OnBadHeaders
//   grpc_transport_init_stream                the call's memory is there: OnBegun
//   grpc_transport_destroy_stream             and is given back: OnDone
//   grpc_chttp2_rst_stream_parser_parse       the client takes a call back: OnMisuse
//   grpc_chttp2_add_rst_stream_to_next_write  we take one back; while we read, because of what was read: OnMisuse
//   grpc_chttp2_settings_parser_parse         a SETTINGS frame: OnSettings
//   grpc_chttp2_add_ping_strike               the client pings more often than it may: OnPing
//   grpc_endpoint_destroy                     the connection is no more: Close
//
// They are internal to gRPC, and mangled names tell their arguments: with a gRPC that has others the program does not link, with
// another version it does not compile, and a test proves that each is called. The same trick as quiet_queue.cc's.
//
// A watch says whose connections it is that of a server's builder; clients in the same process are left alone. Not needed any more
// when the server has been destroyed; connections that linger are forgotten then. Thread-safe.
class TransportWatch {
 public:
  // `guard` outlives it.
  explicit TransportWatch(ConnectionGuard& guard);
  ~TransportWatch();
  TransportWatch(const TransportWatch&) = delete;
  TransportWatch& operator=(const TransportWatch&) = delete;

  // From now on all connections of the server that is built are told of. Outlives the server.
  void Install(grpc::ServerBuilder& builder);

  ConnectionGuard& guard() const { return guard_; }

 private:
  ConnectionGuard& guard_;
};

// The number that the guard gave to the connection; 0: none.
uint64_t ConnectionOf(const grpc_auth_context* context);
uint64_t ConnectionOf(const grpc::AuthContext& context);

}  // namespace jobd::server
