#include "server/grpc/connections/transport_watch.h"

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <grpc/grpc_security.h>
#include <grpc/grpc_security_constants.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <grpcpp/alarm.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/version_info.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/clock.h"
#include "server/grpc/connections/connection_guard.h"
#include "server/grpc/connections/header_limit.h"
#include "server/grpc/connections/read_pace.h"
#include "server/grpc/connections/receive_buffer.h"

// Look at gRPC's sources before this is raised: what each of the functions returns and means is in no header that is installed.
static_assert(GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR == 51, "transport_watch.h was written for gRPC 1.51");

// gRPC's own, of which only these names are needed.
struct grpc_transport;
struct grpc_chttp2_transport;  // begins with its grpc_transport
struct grpc_chttp2_stream;
struct grpc_stream;
struct grpc_stream_refcount;
struct grpc_endpoint;
struct grpc_closure;
struct grpc_transport_one_way_stats;
absl::string_view grpc_endpoint_get_peer(grpc_endpoint* endpoint);
int grpc_endpoint_get_fd(grpc_endpoint* endpoint);
namespace grpc_core {
class Arena;
class ChannelArgs {
 public:
  void* GetVoidPointer(absl::string_view name) const;
};
}  // namespace grpc_core

namespace jobd::server {
namespace {

constexpr const char* kProperty = "jobd_connection";
constexpr const char* kArgument = "jobd.transport_watch";
constexpr const char* kAuthContext = "grpc.auth_context";  // where gRPC puts it once a handshake is over

// All connections that are watched. Whoever uses a guard keeps the lock meanwhile, shared, so that no watch ends under its hands.
struct Table {
  struct Entry {
    const TransportWatch* watch = nullptr;
    uint64_t connection = 0;
    ReadPace pace;
    HeaderLimit headers;
    MetadataLimit metadata;
    ReceiveBuffer buffer;
    uint32_t taken_back = 0;  // the stream that we took back last
  };
  std::shared_mutex mutex;
  std::unordered_set<const TransportWatch*> watches;
  std::unordered_map<const void*, Entry> transports;
  std::unordered_map<const void*, const void*> transport_of_endpoint;
};

// The one static: gRPC's functions are called by gRPC. Never destroyed, as its threads may be late.
Table& TheTable() {
  static Table* const table = new Table;
  return *table;
}

// Connections whose next read has been put off.
std::atomic<uint32_t> waiting = 0;

base::Nanos Now() { return base::SystemClock().Monotonic(); }

// What the guard of the transport answers, or `otherwise` where nobody watches it.
template <typename Ask>
bool Asked(const void* transport, bool otherwise, Ask ask) {
  Table& table = TheTable();
  const std::shared_lock lock(table.mutex);
  const auto found = table.transports.find(transport);
  if (found == table.transports.end()) return otherwise;
  return ask(found->second.watch->guard(), found->second.connection);
}

template <typename Tell>
void Told(const void* transport, Tell tell) {
  Asked(transport, false, [&](ConnectionGuard& guard, uint64_t connection) { return (guard.*tell)(connection), true; });
}

std::string Property(const grpc_auth_context* context, const char* name) {
  std::string all;
  auto found = grpc_auth_context_find_properties_by_name(context, name);
  while (const grpc_auth_property* const property = grpc_auth_property_iterator_next(&found)) {
    all.append(property->value, property->value_length);
  }
  return all;
}

uint64_t NumberIn(std::string_view property) {
  uint64_t number = 0;
  if (property.size() == sizeof number) std::memcpy(&number, property.data(), sizeof number);
  return number;
}

void OnCreated(const grpc_core::ChannelArgs& arguments, grpc_endpoint* endpoint, const grpc_transport* transport) {
  const auto* const watch = static_cast<const TransportWatch*>(arguments.GetVoidPointer(kArgument));
  auto* const context = static_cast<grpc_auth_context*>(arguments.GetVoidPointer(kAuthContext));
  if (watch == nullptr || context == nullptr) return;
  const std::string pem =
      Property(context, GRPC_X509_PEM_CERT_PROPERTY_NAME) + Property(context, GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME);
  const absl::string_view peer = grpc_endpoint_get_peer(endpoint);
  Table& table = TheTable();
  uint64_t connection = 0;
  {
    const std::shared_lock lock(table.mutex);
    if (!table.watches.contains(watch)) return;
    connection = watch->guard().Open(pem, {peer.data(), peer.size()});
  }
  // Nobody reads the properties yet: nothing has been read from the connection.
  grpc_auth_context_add_property(context, kProperty, reinterpret_cast<const char*>(&connection), sizeof connection);
  const std::unique_lock lock(table.mutex);
  if (!table.watches.contains(watch)) return;
  table.transports[transport] = {.watch = watch, .connection = connection};
  table.transport_of_endpoint[endpoint] = transport;
}

void OnDestroyed(const grpc_endpoint* endpoint) {
  Table& table = TheTable();
  const std::unique_lock lock(table.mutex);
  const auto found = table.transport_of_endpoint.find(endpoint);
  if (found == table.transport_of_endpoint.end()) return;
  const auto entry = table.transports.find(found->second);
  table.transport_of_endpoint.erase(found);
  if (entry == table.transports.end()) return;
  entry->second.watch->guard().Close(entry->second.connection);
  table.transports.erase(entry);
}

void OnRead(const void* transport, std::string_view bytes) {
  Table& table = TheTable();
  const std::shared_lock lock(table.mutex);
  const auto found = table.transports.find(transport);
  if (found == table.transports.end() || found->second.headers.Take(bytes)) return;
  found->second.watch->guard().OnEndlessHeaders(found->second.connection);
}

// A frame of headers begins. Returns what they may come to, for a parser that would let them come to `most`.
uint32_t OnHeaderFrame(const void* transport, const HeaderParser& parser, bool is_last, uint32_t most) {
  Table& table = TheTable();
  const std::shared_lock lock(table.mutex);
  const auto found = table.transports.find(transport);
  if (found == table.transports.end()) return most;
  return std::min(most, found->second.metadata.Begin(is_last, parser.counted));
}

// We take the stream back because of what is being read. Frames that were on their way when a call ended, or go beyond its window,
// bring this about one by one; it is one misuse all the same.
void OnTakenBack(const void* transport, uint32_t stream) {
  Table& table = TheTable();
  const std::shared_lock lock(table.mutex);
  const auto found = table.transports.find(transport);
  if (found == table.transports.end() || std::exchange(found->second.taken_back, stream) == stream) return;
  found->second.watch->guard().OnMisuse(found->second.connection);
}

void OnTaken(const void* transport, base::Nanos time) {
  Table& table = TheTable();
  const std::shared_lock lock(table.mutex);
  const auto found = table.transports.find(transport);
  if (found != table.transports.end()) found->second.pace.OnTaken(time);
}

base::Nanos WaitBeforeRead(grpc_endpoint* endpoint) {
  Table& table = TheTable();
  const std::shared_lock lock(table.mutex);
  const auto transport = table.transport_of_endpoint.find(endpoint);
  if (transport == table.transport_of_endpoint.end()) return 0;
  const auto found = table.transports.find(transport->second);
  if (found == table.transports.end()) return 0;
  found->second.buffer.Bound(grpc_endpoint_get_fd(endpoint));
  return found->second.pace.Wait(Now(), waiting.load(std::memory_order_relaxed));
}

// Does it on a thread of gRPC's own that serves no connection.
void Later(base::Nanos wait, std::function<void()> work) {
  ++waiting;
  auto kept = std::make_shared<grpc::Alarm>();
  grpc::Alarm& alarm = *kept;
  // The alarm keeps what it calls, and that the alarm, until it has called.
  alarm.Set(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(wait, GPR_TIMESPAN)),
            [kept = std::move(kept), work = std::move(work)](bool) mutable {
              --waiting;
              work();
              kept.reset();
            });
}

// The connection that this thread is reading from.
thread_local const void* reading = nullptr;

class Option final : public grpc::ServerBuilderOption {
 public:
  explicit Option(TransportWatch& watch) : watch_(watch) {}
  void UpdateArguments(grpc::ChannelArguments* arguments) override { arguments->SetPointer(kArgument, &watch_); }
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* /*plugins*/) override {}

 private:
  TransportWatch& watch_;
};

}  // namespace

TransportWatch::TransportWatch(ConnectionGuard& guard) : guard_(guard) {
  Table& table = TheTable();
  const std::unique_lock lock(table.mutex);
  table.watches.insert(this);
}

TransportWatch::~TransportWatch() {
  Table& table = TheTable();
  const std::unique_lock lock(table.mutex);
  table.watches.erase(this);
  std::erase_if(table.transport_of_endpoint, [&](const auto& item) {
    const auto entry = table.transports.find(item.second);
    return entry != table.transports.end() && entry->second.watch == this;
  });
  std::erase_if(table.transports, [&](const auto& item) { return item.second.watch == this; });
}

void TransportWatch::Install(grpc::ServerBuilder& builder) { builder.SetOption(std::make_unique<Option>(*this)); }

uint64_t ConnectionOf(const grpc_auth_context* context) { return NumberIn(Property(context, kProperty)); }

uint64_t ConnectionOf(const grpc::AuthContext& context) {
  const auto property = context.FindPropertyValues(kProperty);
  return property.empty() ? 0 : NumberIn({property.front().data(), property.front().size()});
}

}  // namespace jobd::server

// ---- between gRPC's object files ----

namespace {

using jobd::server::Asked;
using jobd::server::ConnectionGuard;
using jobd::server::Told;

bool MustEnd(const grpc_chttp2_transport* transport) {
  return Asked(transport, false, [](ConnectionGuard& guard, uint64_t connection) { return guard.MustEnd(connection); });
}

absl::Status Ended() { return absl::ResourceExhaustedError("the client has too many calls, or takes too many back"); }

}  // namespace

// Names that the linker prescribes. NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
#define JOBD_BETWEEN(result, mangled, parameters) \
  extern "C" result __real_##mangled parameters;  \
  extern "C" result __wrap_##mangled parameters;  \
  extern "C" result __wrap_##mangled parameters

JOBD_BETWEEN(grpc_transport*, _Z28grpc_create_chttp2_transportRKN9grpc_core11ChannelArgsEP13grpc_endpointb,
             (const grpc_core::ChannelArgs& arguments, grpc_endpoint* endpoint, bool is_client)) {
  grpc_transport* const transport =
      __real__Z28grpc_create_chttp2_transportRKN9grpc_core11ChannelArgsEP13grpc_endpointb(arguments, endpoint, is_client);
  if (!is_client) jobd::server::OnCreated(arguments, endpoint, transport);
  return transport;
}

JOBD_BETWEEN(void, _Z21grpc_endpoint_destroyP13grpc_endpoint, (grpc_endpoint * endpoint)) {
  jobd::server::OnDestroyed(endpoint);
  __real__Z21grpc_endpoint_destroyP13grpc_endpoint(endpoint);
}

JOBD_BETWEEN(absl::Status, _Z24grpc_chttp2_perform_readP21grpc_chttp2_transportRK10grpc_slice,
             (grpc_chttp2_transport * transport, const grpc_slice& piece)) {
  jobd::server::OnRead(transport, {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(piece)), GRPC_SLICE_LENGTH(piece)});
  if (MustEnd(transport)) return Ended();
  const void* const before = std::exchange(jobd::server::reading, transport);
  const auto begin = jobd::server::Now();
  absl::Status status = __real__Z24grpc_chttp2_perform_readP21grpc_chttp2_transportRK10grpc_slice(transport, piece);
  jobd::server::OnTaken(transport, jobd::server::Now() - begin);
  jobd::server::reading = before;
  if (status.ok() && MustEnd(transport)) return Ended();
  return status;
}

JOBD_BETWEEN(void, _Z18grpc_endpoint_readP13grpc_endpointP17grpc_slice_bufferP12grpc_closurebi,
             (grpc_endpoint * endpoint, grpc_slice_buffer* into, grpc_closure* then, bool is_urgent, int least)) {
  const auto read = [=] {
    __real__Z18grpc_endpoint_readP13grpc_endpointP17grpc_slice_bufferP12grpc_closurebi(endpoint, into, then, is_urgent, least);
  };
  // It stays open meanwhile: to gRPC it is being read from.
  const auto wait = jobd::server::WaitBeforeRead(endpoint);
  if (wait == 0) return read();
  jobd::server::Later(wait, read);
}

JOBD_BETWEEN(grpc_chttp2_stream*, _Z33grpc_chttp2_parsing_accept_streamP21grpc_chttp2_transportj,
             (grpc_chttp2_transport * transport, uint32_t stream)) {
  const bool may = Asked(transport, true, [](ConnectionGuard& guard, uint64_t connection) { return guard.MayBegin(connection); });
  if (!may) return nullptr;
  return __real__Z33grpc_chttp2_parsing_accept_streamP21grpc_chttp2_transportj(transport, stream);
}

JOBD_BETWEEN(void, _ZN9grpc_core11HPackParser10BeginFrameEP19grpc_metadata_batchjNS0_8BoundaryENS0_8PriorityENS0_7LogInfoE,
             (jobd::server::HeaderParser * parser, void* metadata, uint32_t most, uint8_t boundary, uint8_t priority,
              jobd::server::HeaderFrame frame)) {
  most = jobd::server::OnHeaderFrame(jobd::server::reading, *parser, boundary != 0, most);
  __real__ZN9grpc_core11HPackParser10BeginFrameEP19grpc_metadata_batchjNS0_8BoundaryENS0_8PriorityENS0_7LogInfoE(
      parser, metadata, most, boundary, priority, frame);
  // Or we do not know where it counts, and what has not been counted has no bound.
  if (parser->metadata != metadata || parser->counted != 0 || parser->most != most) std::abort();
}

JOBD_BETWEEN(absl::Status, _Z31grpc_chttp2_header_parser_parsePvP21grpc_chttp2_transportP18grpc_chttp2_streamRK10grpc_slicei,
             (void* parser, grpc_chttp2_transport* transport, grpc_chttp2_stream* stream, const grpc_slice& piece, int is_last)) {
  absl::Status status = __real__Z31grpc_chttp2_header_parser_parsePvP21grpc_chttp2_transportP18grpc_chttp2_streamRK10grpc_slicei(
      parser, transport, stream, piece, is_last);
  // gRPC ends the call alone if they are too long, having left off in the midst of them: from there on it may take each byte that
  // names an entry of the table for another.
  if (!status.ok()) Told(transport, &ConnectionGuard::OnBadHeaders);
  return status;
}

JOBD_BETWEEN(int, _Z26grpc_transport_init_streamP14grpc_transportP11grpc_streamP20grpc_stream_refcountPKvPN9grpc_core5ArenaE,
             (grpc_transport * transport, grpc_stream* stream, grpc_stream_refcount* references, const void* number,
              grpc_core::Arena* arena)) {
  Told(transport, &ConnectionGuard::OnBegun);
  return __real__Z26grpc_transport_init_streamP14grpc_transportP11grpc_streamP20grpc_stream_refcountPKvPN9grpc_core5ArenaE(
      transport, stream, references, number, arena);
}

JOBD_BETWEEN(void, _Z29grpc_transport_destroy_streamP14grpc_transportP11grpc_streamP12grpc_closure,
             (grpc_transport * transport, grpc_stream* stream, grpc_closure* then)) {
  // Before: the transport may be gone after it.
  Told(transport, &ConnectionGuard::OnDone);
  __real__Z29grpc_transport_destroy_streamP14grpc_transportP11grpc_streamP12grpc_closure(transport, stream, then);
}

JOBD_BETWEEN(absl::Status, _Z35grpc_chttp2_rst_stream_parser_parsePvP21grpc_chttp2_transportP18grpc_chttp2_streamRK10grpc_slicei,
             (void* parser, grpc_chttp2_transport* transport, grpc_chttp2_stream* stream, const grpc_slice& piece, int is_last)) {
  // A stream that is over, or never was, costs nothing.
  if (is_last != 0 && stream != nullptr) Told(transport, &ConnectionGuard::OnMisuse);
  return __real__Z35grpc_chttp2_rst_stream_parser_parsePvP21grpc_chttp2_transportP18grpc_chttp2_streamRK10grpc_slicei(
      parser, transport, stream, piece, is_last);
}

JOBD_BETWEEN(void, _Z40grpc_chttp2_add_rst_stream_to_next_writeP21grpc_chttp2_transportjjP28grpc_transport_one_way_stats,
             (grpc_chttp2_transport * transport, uint32_t stream, uint32_t code, grpc_transport_one_way_stats* statistics)) {
  if (jobd::server::reading == transport) jobd::server::OnTakenBack(transport, stream);
  __real__Z40grpc_chttp2_add_rst_stream_to_next_writeP21grpc_chttp2_transportjjP28grpc_transport_one_way_stats(transport, stream,
                                                                                                               code, statistics);
}

JOBD_BETWEEN(absl::Status, _Z33grpc_chttp2_settings_parser_parsePvP21grpc_chttp2_transportP18grpc_chttp2_streamRK10grpc_slicei,
             (void* parser, grpc_chttp2_transport* transport, grpc_chttp2_stream* stream, const grpc_slice& piece, int is_last)) {
  if (is_last != 0) Told(transport, &ConnectionGuard::OnSettings);
  return __real__Z33grpc_chttp2_settings_parser_parsePvP21grpc_chttp2_transportP18grpc_chttp2_streamRK10grpc_slicei(
      parser, transport, stream, piece, is_last);
}

JOBD_BETWEEN(void, _Z27grpc_chttp2_add_ping_strikeP21grpc_chttp2_transport, (grpc_chttp2_transport * transport)) {
  // Each one from the third on has gRPC write that it is ending the connection.
  if (MustEnd(transport)) return;
  Told(transport, &ConnectionGuard::OnPing);
  __real__Z27grpc_chttp2_add_ping_strikeP21grpc_chttp2_transport(transport);
}

#undef JOBD_BETWEEN
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
