#include "server/grpc/connections/handshake_watch.h"

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <grpcpp/version_info.h>
#include <openssl/err.h>

#include <mutex>
#include <set>
#include <shared_mutex>
#include <utility>

#include "server/auth/certificate_chain.h"
#include "server/auth/openssl_ptr.h"

// Look at gRPC's sources before this is raised: that a step which fails is followed by the shutdown of its connection, on the same
// thread, is in no header (SecurityHandshaker::HandshakeFailedLocked).
static_assert(GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR == 51, "handshake_watch.h was written for gRPC 1.51");

// gRPC's own, of which only these names are needed.
struct grpc_endpoint;
struct tsi_handshaker;
struct tsi_handshaker_result;
absl::string_view grpc_endpoint_get_peer(grpc_endpoint* endpoint);

namespace jobd::server {
namespace {

// Whoever tells a watch keeps the lock meanwhile, shared, so that it does not end under its hands.
struct Watches {
  std::shared_mutex mutex;
  std::set<const HandshakeWatch*> all;
};

// The one static: gRPC's functions are called by gRPC. Never destroyed, as its threads may be late.
Watches& TheWatches() {
  static Watches* const watches = new Watches;
  return *watches;
}

// The step of a handshake that this thread is in, or was in last.
struct Step {
  bool is_under_way = false;
  bool has_failed = false;
  unsigned long error = 0;
  int verdict = X509_V_OK;
  X509Ptr certificate;  // that was refused
};
thread_local Step step;

void Begin() {
  step = {};
  step.is_under_way = true;
}

void NoteFailure(const SSL* ssl, int result) {
  if (!step.is_under_way || SSL_is_server(ssl) == 0) return;
  const int why = SSL_get_error(ssl, result);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return;
  step.has_failed = true;
  step.error = ERR_peek_error();
}

// Changes nothing: returns what OpenSSL has found.
int NoteVerdict(int good, X509_STORE_CTX* context) {
  if (good != 0 || !step.is_under_way) return good;
  step.verdict = X509_STORE_CTX_get_error(context);
  X509* const leaf = X509_STORE_CTX_get0_cert(context);
  if (leaf != nullptr && X509_up_ref(leaf) == 1) step.certificate.reset(leaf);
  return good;
}

std::string_view ReasonOf(const Step& failed) {
  if (failed.verdict != X509_V_OK) return X509_verify_cert_error_string(failed.verdict);
  const char* const reason = ERR_reason_error_string(failed.error);
  return reason != nullptr ? reason : "it was broken off";
}

void TellOfFailure(grpc_endpoint* endpoint) {
  if (!step.has_failed) return;
  const Step failed = std::exchange(step, {});
  const absl::string_view peer = grpc_endpoint_get_peer(endpoint);
  HandshakeWatch::Failure failure{.peer = {peer.data(), peer.size()}, .reason = ReasonOf(failed)};
  if (failed.certificate) {
    failure.certificate = [&failed] { return CertificateForLog(failed.certificate.get()); };
    failure.fingerprint = [&failed] { return IssuerNamed(failed.certificate.get()).fingerprint; };
  }
  Watches& watches = TheWatches();
  const std::shared_lock lock(watches.mutex);
  for (const HandshakeWatch* const watch : watches.all) watch->Tell(failure);
}

}  // namespace

HandshakeWatch::HandshakeWatch(OnFailed on_failed) : on_failed_(std::move(on_failed)) {
  Watches& watches = TheWatches();
  const std::unique_lock lock(watches.mutex);
  watches.all.insert(this);
}

HandshakeWatch::~HandshakeWatch() {
  Watches& watches = TheWatches();
  const std::unique_lock lock(watches.mutex);
  watches.all.erase(this);
}

bool HandshakeWatch::IsTelling() { return step.has_failed; }

}  // namespace jobd::server

// ---- between gRPC's object files, and before OpenSSL's functions ----

// Names that the linker prescribes. NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
using tsi_on_next_done = void (*)(int result, void* user_data, const unsigned char* bytes, size_t size,
                                  tsi_handshaker_result* made);
extern "C" {

int __real__Z19tsi_handshaker_nextP14tsi_handshakerPKhmPS2_PmPP21tsi_handshaker_resultPFv10tsi_resultPvS2_mS6_ES9_PNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE(
    tsi_handshaker* self, const unsigned char* received, size_t size, const unsigned char** to_send, size_t* to_send_size,
    tsi_handshaker_result** made, tsi_on_next_done done, void* user_data, std::string* error);
int __wrap__Z19tsi_handshaker_nextP14tsi_handshakerPKhmPS2_PmPP21tsi_handshaker_resultPFv10tsi_resultPvS2_mS6_ES9_PNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE(
    tsi_handshaker* self, const unsigned char* received, size_t size, const unsigned char** to_send, size_t* to_send_size,
    tsi_handshaker_result** made, tsi_on_next_done done, void* user_data, std::string* error) {
  jobd::server::Begin();
  const int result =
      __real__Z19tsi_handshaker_nextP14tsi_handshakerPKhmPS2_PmPP21tsi_handshaker_resultPFv10tsi_resultPvS2_mS6_ES9_PNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE(
          self, received, size, to_send, to_send_size, made, done, user_data, error);
  jobd::server::step.is_under_way = false;
  return result;
}

int __real_SSL_do_handshake(SSL* ssl);
int __wrap_SSL_do_handshake(SSL* ssl) {
  const int result = __real_SSL_do_handshake(ssl);
  if (result != 1) jobd::server::NoteFailure(ssl, result);
  return result;
}

void __real_SSL_CTX_set_verify(SSL_CTX* context, int mode, SSL_verify_cb callback);
void __wrap_SSL_CTX_set_verify(SSL_CTX* context, int mode, SSL_verify_cb callback) {
  const bool decides = (mode & SSL_VERIFY_PEER) != 0 && callback == nullptr;
  __real_SSL_CTX_set_verify(context, mode, decides ? &jobd::server::NoteVerdict : callback);
}

void __real__Z22grpc_endpoint_shutdownP13grpc_endpointN4absl7debian36StatusE(grpc_endpoint* endpoint, absl::Status why);
void __wrap__Z22grpc_endpoint_shutdownP13grpc_endpointN4absl7debian36StatusE(grpc_endpoint* endpoint, absl::Status why) {
  // Before: whoever was refused finds it in the log.
  jobd::server::TellOfFailure(endpoint);
  __real__Z22grpc_endpoint_shutdownP13grpc_endpointN4absl7debian36StatusE(endpoint, std::move(why));
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
