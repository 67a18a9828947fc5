// What a follower that waits costs the server.
#include <fcntl.h>

#include "base/fd.h"
#include "bench/streams/bulk_client.h"
#include "bench/streams/line_follower.h"
#include "bench/streams/setup.h"

namespace jobd::bench {
namespace {

constexpr size_t kFollowers = 1000;

// Private bytes per follower of an idle job.
double BytesPerFollower(const Host& host, const std::string& address, pid_t server, const std::string& job,
                        size_t streams_per_connection) {
  const std::string certs = host.daemon().CertDir();
  v1::StreamLogsRequest request;
  request.set_correlation_id(job);
  request.set_follow(true);
  // One before the count begins, for what the first of all costs.
  const auto first = std::make_unique<LineFollower>(ConnectTo(certs, address), request, 1);
  first->WaitForFirst();
  const uint64_t before = PrivateBytesOf(server);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  std::vector<std::unique_ptr<LineFollower>> all;
  for (size_t i = 0; i < kFollowers; ++i) {
    if (i % streams_per_connection == 0) channels.push_back(ConnectTo(certs, address));
    all.push_back(std::make_unique<LineFollower>(channels.back(), request, 1));
    all.back()->WaitForFirst();
  }
  const uint64_t after = PrivateBytesOf(server);
  return (static_cast<double>(after) - static_cast<double>(before)) / static_cast<double>(kFollowers);
}

double OfJobd(const Host& host, size_t streams_per_connection) {
  const std::string fifo = host.MakeFifo("idle");
  const std::string id = host.Start({"ticks", "1", "1", fifo});
  const double bytes = BytesPerFollower(host, host.daemon().Address(), host.daemon().ServerPid(), id, streams_per_connection);
  { const base::Fd go(::open(fifo.c_str(), O_WRONLY | O_CLOEXEC)); }
  (void)host.daemon().Ok({"wait", id});
  host.Remove(id);
  return bytes;
}

// A writer that waits for nobody in particular, so that nothing is told after its first line.
double OfBare(const Host& host, size_t streams_per_connection) {
  const Peer bare(host, "bare", {host.writer(), "1", "1", host.MakeFifo("bare")});
  return BytesPerFollower(host, bare.address(), bare.pid(), "follow", streams_per_connection);
}

std::string KiB(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f KiB", bytes / 1024);
  return text;
}

}  // namespace

void MeasureMemory(const Host& host, const Options& /*options*/) {
  Table table("Memory of the server, private to it, per follower of an idle job (1,000 of them)", stdout);
  const auto compare = [&](const std::string& what, size_t streams) {
    const double jobd = OfJobd(host, streams);
    table.Row(what + ", jobd", KiB(jobd), "≤ 64 KiB", jobd <= 64 * 1024);
    table.Row(what + ", bare gRPC", KiB(OfBare(host, streams)));
  };
  // In this order: what the allocator keeps of the larger one would hide the smaller.
  compare("100 to a connection", 100);
  compare("each on its own connection", 1);
}

}  // namespace jobd::bench
