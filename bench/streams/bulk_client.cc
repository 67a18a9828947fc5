#include "bench/streams/bulk_client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/sync_stream.h>

#include <cstdio>
#include <cstdlib>
#include <latch>
#include <thread>
#include <vector>

#include "bench/streams/report.h"
#include "tests/e2e/harness/daemon.h"

namespace jobd::bench {

std::shared_ptr<grpc::Channel> ConnectTo(const std::string& certs, const std::string& address) {
  const grpc::SslCredentialsOptions options{.pem_root_certs = e2e::ReadFileOrEmpty(certs + "/ca.crt"),
                                            .pem_private_key = e2e::ReadFileOrEmpty(certs + "/operator.key"),
                                            .pem_cert_chain = e2e::ReadFileOrEmpty(certs + "/operator.crt")};
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  auto channel = grpc::CreateCustomChannel("ipv4:" + address, grpc::SslCredentials(options), arguments);
  channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(60));
  return channel;
}

Bulk ReadAll(const std::shared_ptr<grpc::Channel>& channel, const v1::StreamLogsRequest& request) {
  const grpc::internal::RpcMethod method("/jobd.v1.JobQueryService/StreamLogs", grpc::internal::RpcMethod::SERVER_STREAMING,
                                         channel);
  Bulk result;
  const double begin = Now();
  grpc::ClientContext context;
  const std::unique_ptr<grpc::ClientReader<grpc::ByteBuffer>> reader(
      grpc::internal::ClientReaderFactory<grpc::ByteBuffer>::Create(channel.get(), method, &context, request));
  for (grpc::ByteBuffer message; reader->Read(&message); message.Clear()) {
    result.bytes += message.Length();
    ++result.messages;
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) {
    std::fprintf(stderr, "a stream failed: %s\n", status.error_message().c_str());
    std::exit(1);
  }
  result.seconds = Now() - begin;
  return result;
}

Bulk ReadAtOnce(const std::string& certs, const std::string& address, const v1::StreamLogsRequest& request, size_t count) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (size_t i = 0; i < count; ++i) channels.push_back(ConnectTo(certs, address));
  std::latch begin(static_cast<ptrdiff_t>(count) + 1);
  std::vector<Bulk> each(count);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      begin.arrive_and_wait();
      each[i] = ReadAll(channels[i], request);
    });
  }
  begin.arrive_and_wait();
  const double began = Now();
  for (std::thread& thread : threads) thread.join();
  Bulk sum{.seconds = Now() - began};
  for (const Bulk& one : each) {
    sum.bytes += one.bytes;
    sum.messages += one.messages;
  }
  return sum;
}

}  // namespace jobd::bench
