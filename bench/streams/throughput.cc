// A finished log to one follower and to a hundred, beside a bare gRPC stream and a plain copy by OpenSSL.
#include "bench/streams/bulk_client.h"
#include "bench/streams/setup.h"
#include "bench/streams/tls_copy.h"

namespace jobd::bench {
namespace {

constexpr double kGB = 1e9;

// One way to move the same bytes.
struct Side {
  std::vector<double> rates;  // bytes a second, one a round
  std::vector<double> cpu;    // seconds a GB, of the serving process
  // Measures `move`, which returns bytes a second.
  template <typename Move>
  void Measure(pid_t server, uint64_t bytes, Move move) {
    const double before = CpuOf(server);
    rates.push_back(move());
    cpu.push_back((CpuOf(server) - before) / static_cast<double>(bytes) * kGB);
  }
  std::string Figure() const {
    char text[64];
    std::snprintf(text, sizeof text, "; %.2f s of CPU a GB", Median(cpu));
    return Rate(rates) + text;
  }
};

v1::StreamLogsRequest LogOf(const std::string& id) {
  v1::StreamLogsRequest request;
  request.set_correlation_id(id);
  request.set_index(1);
  request.set_stream(v1::LOG_STREAM_STDOUT);
  return request;
}

v1::StreamLogsRequest BareOf(const std::string& kind, uint64_t bytes, uint64_t message) {
  v1::StreamLogsRequest request;
  request.set_correlation_id(kind);
  request.set_offset(bytes);
  request.set_index(static_cast<uint32_t>(message));
  return request;
}

double ThroughJobctl(const Host& host, const std::string& id, uint64_t bytes) {
  e2e::Command command = host.daemon().Ctl({"logs", "--stdout", id + "/1"});
  command.argv.insert(command.argv.begin(), {"/bin/sh", "-c", "exec \"$@\" >/dev/null", "sh"});
  const double begin = Now();
  if (const auto output = e2e::RunCommand(command); output.code() != 0) {
    std::fprintf(stderr, "jobctl logs: %s\n", output.err.c_str());
    std::exit(1);
  }
  return static_cast<double>(bytes) / (Now() - begin);
}

void OneFollower(const Host& host, const Options& options, const Peer& bare) {
  const uint64_t bytes = options.quick ? 256u << 20 : 1u << 30;
  const std::string certs = host.daemon().CertDir();
  const std::string id = host.Run({"blocks", std::to_string(bytes)});
  const Peer tls(host, "tls", {std::to_string(bytes)});
  const auto to_jobd = ConnectTo(certs, host.daemon().Address());
  const auto to_bare = ConnectTo(certs, bare.address());
  const pid_t server = host.daemon().ServerPid();
  const Bulk first = ReadAll(to_jobd, LogOf(id));  // and warms up
  const uint64_t message = first.bytes / first.messages;
  Side jobd, jobctl, raw, made, copy;
  for (int round = 0; round < options.rounds; ++round) {
    jobd.Measure(server, bytes, [&] { return ReadAll(to_jobd, LogOf(id)).rate(); });
    raw.Measure(bare.pid(), bytes, [&] { return ReadAll(to_bare, BareOf("raw", bytes, message)).rate(); });
    made.Measure(bare.pid(), bytes, [&] { return ReadAll(to_bare, BareOf("message", bytes, message)).rate(); });
    jobctl.Measure(server, bytes, [&] { return ThroughJobctl(host, id, bytes); });
    copy.Measure(tls.pid(), bytes, [&] { return TlsCopy(certs, tls.address(), bytes); });
  }
  host.Remove(id);
  Table table("A log of " + std::to_string(bytes >> 20) + " MiB to one follower", stdout);
  table.Row("jobd, client that counts", jobd.Figure());
  table.Row("jobd, `jobctl logs >/dev/null`, start and handshake included", jobctl.Figure());
  table.Row("bare gRPC, slices of " + std::to_string(message) + " bytes from memory", raw.Figure());
  table.Row("bare gRPC, a protobuf message made for each", made.Figure());
  table.Row("OpenSSL on TCP", copy.Figure());
  const double to_made = MedianRatio(jobd.rates, made.rates);
  const double to_raw = MedianRatio(jobd.rates, raw.rates);
  const double to_copy = MedianRatio(jobd.rates, copy.rates);
  table.Row("jobd / bare gRPC, messages", Ratio(to_made), "≥ 0.95", to_made >= 0.95);
  table.Row("jobd / bare gRPC, slices", Ratio(to_raw), "≥ 0.95", to_raw >= 0.95);
  table.Row("jobd / OpenSSL", Ratio(to_copy), "≥ 0.5", to_copy >= 0.5);
  table.Row("`jobctl logs` / OpenSSL", Ratio(MedianRatio(jobctl.rates, copy.rates)));
}

void ManyFollowers(const Host& host, const Options& options, const Peer& bare) {
  constexpr size_t kFollowers = 100;
  const uint64_t bytes = options.quick ? 2u << 20 : 8u << 20;
  const std::string certs = host.daemon().CertDir();
  const std::string id = host.Run({"blocks", std::to_string(bytes)});
  const pid_t server = host.daemon().ServerPid();
  const Bulk first = ReadAtOnce(certs, host.daemon().Address(), LogOf(id), kFollowers);
  const uint64_t message = first.bytes / first.messages;
  Side jobd, raw;
  for (int round = 0; round < options.rounds; ++round) {
    jobd.Measure(server, first.bytes, [&] { return ReadAtOnce(certs, host.daemon().Address(), LogOf(id), kFollowers).rate(); });
    raw.Measure(bare.pid(), first.bytes,
                [&] { return ReadAtOnce(certs, bare.address(), BareOf("raw", bytes, message), kFollowers).rate(); });
  }
  host.Remove(id);
  Table table("A log of " + std::to_string(bytes >> 20) + " MiB to 100 followers at once, each on its own connection", stdout);
  table.Row("jobd", jobd.Figure());
  table.Row("bare gRPC, slices of " + std::to_string(message) + " bytes from memory", raw.Figure());
  const double ratio = MedianRatio(jobd.rates, raw.rates);
  table.Row("jobd / bare gRPC", Ratio(ratio), "≥ 0.95", ratio >= 0.95);
}

}  // namespace

void MeasureThroughput(const Host& host, const Options& options) {
  const Peer bare(host, "bare");
  OneFollower(host, options, bare);
  ManyFollowers(host, options, bare);
}

}  // namespace jobd::bench
