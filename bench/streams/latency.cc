// From a job's write to its followers, beside a bare gRPC stream that is fed by the same writer.
#include <fcntl.h>

#include "base/fd.h"
#include "bench/streams/bulk_client.h"
#include "bench/streams/line_follower.h"
#include "bench/streams/setup.h"

namespace jobd::bench {
namespace {

constexpr size_t kStreamsPerConnection = 100;
const std::string kMicros = "2000";

struct Delays {
  std::vector<double> p50;
  std::vector<double> p99;
};

v1::StreamLogsRequest Follow(const std::string& id) {
  v1::StreamLogsRequest request;
  request.set_correlation_id(id);
  request.set_index(1);
  request.set_follow(true);
  return request;
}

// Attaches the followers, lets the writer go by opening its FIFO, and reads to the end.
void Measure(const Host& host, const std::string& address, const std::string& id, const std::string& fifo, size_t followers,
             size_t lines, Delays& delays) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (size_t i = 0; i < followers; i += kStreamsPerConnection) channels.push_back(ConnectTo(host.daemon().CertDir(), address));
  std::vector<std::unique_ptr<LineFollower>> all;
  for (size_t i = 0; i < followers; ++i) {
    all.push_back(std::make_unique<LineFollower>(channels[i % channels.size()], Follow(id), lines));
  }
  for (const auto& one : all) one->WaitForFirst();
  const base::Fd go(::open(fifo.c_str(), O_WRONLY | O_CLOEXEC));
  std::vector<double> seconds;
  for (const auto& one : all) {
    one->WaitForEnd();
    seconds.insert(seconds.end(), one->delays().begin(), one->delays().end());
  }
  if (seconds.size() != lines * followers) {
    std::fprintf(stderr, "%s: %zu lines came of %zu\n", id.c_str(), seconds.size(), lines * followers);
    std::exit(1);
  }
  delays.p50.push_back(Quantile(seconds, 0.5));
  delays.p99.push_back(Quantile(seconds, 0.99));
}

void Compare(const Host& host, const Options& options, Table& table, size_t followers) {
  const size_t lines = options.quick ? 250 : 1000;
  const std::string fifo = host.MakeFifo("go");
  const std::vector<std::string> ticks = {std::to_string(lines), kMicros, fifo};
  const Peer bare(host, "bare", {host.writer(), ticks[0], ticks[1], ticks[2]});
  Delays jobd;
  Delays grpc;
  for (int round = 0; round < options.rounds; ++round) {
    const std::string id = host.Start({"ticks", ticks[0], ticks[1], ticks[2]});
    Measure(host, host.daemon().Address(), id, fifo, followers, lines, jobd);
    (void)host.daemon().Ok({"wait", id});
    host.Remove(id);
    Measure(host, bare.address(), "follow", fifo, followers, lines, grpc);
  }
  const std::string who = std::to_string(followers) + (followers == 1 ? " follower" : " followers");
  const double p50 = Median(jobd.p50);
  const double p99 = Median(jobd.p99);
  if (followers <= 100) {
    table.Row(who + ", jobd, p50", Millis(p50), "≤ 0.3 ms", p50 <= 0.3e-3);
    table.Row(who + ", jobd, p99", Millis(p99), "≤ 3 ms", p99 <= 3e-3);
  } else {
    table.Row(who + ", jobd, p50", Millis(p50));
    table.Row(who + ", jobd, p99", Millis(p99), "≤ 50 ms", p99 <= 50e-3);
  }
  table.Row(who + ", bare gRPC, p50 and p99", Millis(Median(grpc.p50)) + ", " + Millis(Median(grpc.p99)));
}

}  // namespace

void MeasureLatency(const Host& host, const Options& options) {
  Table table("From a job's write to its followers: a line every 2 ms, up to 100 streams to a connection", stdout);
  for (const size_t followers : {size_t{1}, size_t{100}, size_t{1000}}) Compare(host, options, table, followers);
}

}  // namespace jobd::bench
