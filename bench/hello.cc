// The least that a service over mutually authenticated gRPC can be: one unary call, no state, nothing checked but certificates.
// What jobctl and jobd need beyond it is what they do.
//
//   bench_hello serve CA CERT KEY     prints host:port, serves until its standard input ends
//   bench_hello call ADDRESS          one call, connected as jobctl connects, with JOBCTL_CA, JOBCTL_CERT and JOBCTL_KEY
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>

#include "bench/client.h"
#include "cli/connect/openssl_setup.h"
#include "jobd/v1/auth_service.grpc.pb.h"

namespace jobd::bench {
namespace {

class Hello final : public v1::AuthService::CallbackService {
  grpc::ServerUnaryReactor* WhoAmI(grpc::CallbackServerContext* context, const v1::WhoAmIRequest* /*request*/,
                                   v1::WhoAmIResponse* response) override {
    response->set_name("somebody");
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

std::string Content(const char* path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

int Serve(char** files) {
  if (auto status = cli::RestrictToTls13(); !status.ok()) return 1;
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = Content(files[0]);
  options.pem_key_cert_pairs.push_back({Content(files[2]), Content(files[1])});
  Hello service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(options), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  if (!server || port == 0) return 1;
  std::printf("127.0.0.1:%d\n", port);
  std::fflush(stdout);
  char unused = 0;
  while (::read(STDIN_FILENO, &unused, 1) > 0) {
  }
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}

int Call(const char* address) {
  ::setenv("JOBCTL_ADDRESS", address, 1);
  const auto stub = v1::AuthService::NewStub(Connect());
  grpc::ClientContext context;
  v1::WhoAmIResponse response;
  Demand(stub->WhoAmI(&context, {}, &response), "hello");
  return 0;
}

}  // namespace

int Main(int argc, char** argv) {
  if (argc == 5 && argv[1] == std::string_view("serve")) return Serve(argv + 2);
  if (argc == 3 && argv[1] == std::string_view("call")) return Call(argv[2]);
  std::fprintf(stderr, "usage: bench_hello serve CA CERT KEY | call ADDRESS\n");
  return 2;
}

}  // namespace jobd::bench

int main(int argc, char** argv) { return jobd::bench::Main(argc, argv); }
