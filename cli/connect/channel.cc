#include "cli/connect/channel.h"

#include <absl/synchronization/mutex.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <malloc.h>

#include <cstdlib>

#include "base/files.h"
#include "cli/connect/openssl_setup.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr size_t kMaxPem = size_t{1} << 20;
constexpr int kMaxMessage = 64 << 20;

Result<std::string> ReadPem(const std::string& path, const char* what) {
  auto text = base::ReadFile(AT_FDCWD, path, kMaxPem);
  if (!text.ok()) return std::move(text).error().WithContext(what);
  if (text->find("-----BEGIN ") == std::string::npos) {
    return Error(Code::kFailedPrecondition, std::string(what) + ": " + path + " is not a PEM file");
  }
  return text;
}

// OpenSSL would ask for the pass phrase on the terminal, in a thread of gRPC and again for each connection.
base::Status CheckKey(const std::string& pem, const std::string& path) {
  const bool encrypted = pem.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != std::string::npos ||
                         pem.find("Proc-Type: 4,ENCRYPTED") != std::string::npos;
  if (!encrypted) return base::Ok();
  return Error(Code::kFailedPrecondition, "client key: " + path +
                                              " is encrypted, and jobctl asks for no pass phrase. Give it a key in plain: "
                                              "(umask 077; openssl pkey -in " +
                                              path + " -out " + path + ".plain)");
}

// A numeric address needs no resolver, whose start costs more than the rest of a short call.
std::string Target(const std::string& host, const std::string& port) {
  in6_addr unused{};
  if (::inet_pton(AF_INET, host.c_str(), &unused) == 1) return "ipv4:" + host + ":" + port;
  if (::inet_pton(AF_INET6, host.c_str(), &unused) == 1) return "ipv6:[" + host + "]:" + port;
  return "dns:///" + host + ":" + port;
}

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessage);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // A dead link is noticed within 50 s. The service allows a ping every 30 s.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 40'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  return arguments;
}

}  // namespace

Result<std::shared_ptr<grpc::Channel>> MakeChannel(const Connection& connection) {
  // gRPC's own messages would mix with the job's output; jobctl reports errors itself.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  // Debian's build looks for deadlocks at each lock that gRPC takes, which costs more than the locks.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // A log comes in messages of 256 KiB. malloc would get the memory for each from the kernel, and give it back.
  ::mallopt(M_MMAP_THRESHOLD, 8 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 32 << 20);
  JOBD_ASSIGN_OR_RETURN(const auto address, SplitAddress(connection.address));
  JOBD_RETURN_IF_ERROR(RestrictToTls13());
  grpc::SslCredentialsOptions options;
  JOBD_ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem(connection.ca, "CA certificate"));
  JOBD_ASSIGN_OR_RETURN(options.pem_cert_chain, ReadPem(connection.cert, "client certificate"));
  JOBD_ASSIGN_OR_RETURN(options.pem_private_key, ReadPem(connection.key, "client key"));
  JOBD_RETURN_IF_ERROR(CheckKey(options.pem_private_key, connection.key));
  return grpc::CreateCustomChannel(Target(address.first, address.second), grpc::SslCredentials(options), Arguments());
}

}  // namespace jobd::cli
