// What jobd streams: throughput of logs, capture, latency and memory of followers, idling, with a jobd of its own.
//
//   bench_streams [--markdown] [--rounds N] [--quick] [--only throughput|capture|latency|memory|idle]…
//
// All sides of a comparison in turn in each round; medians with least and most, and the median of the rounds' ratios. Standard
// output has the tables, as Markdown whether or not that is asked for. As root. Client, server and jobs share the processors.
#include <absl/synchronization/mutex.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/streams/bare_server.h"
#include "bench/streams/setup.h"
#include "bench/streams/tls_copy.h"

namespace jobd::bench {
namespace {

int Usage() {
  std::fprintf(stderr,
               "usage: bench_streams [--markdown] [--rounds N] [--quick] [--only throughput|capture|latency|memory|idle]...\n");
  return 2;
}

// The peers, each in a process of its own that ends with ours.
int RunRole(const std::vector<std::string>& args) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (args.size() == 4 && args[1] == "tls") return RunTlsServer(args[2], std::stoull(args[3]));
  if (args.size() == 3 && args[1] == "bare") return RunBareServer(args[2], "false", "", "", "");
  if (args.size() == 7 && args[1] == "bare") return RunBareServer(args[2], args[3], args[4], args[5], args[6]);
  return Usage();
}

bool Parse(const std::vector<std::string>& args, Options& options) {
  for (size_t i = 0; i < args.size(); ++i) {
    const bool more = i + 1 < args.size();
    if (args[i] == "--markdown") continue;
    if (args[i] == "--quick") {
      options.quick = true;
    } else if (args[i] == "--rounds" && more) {
      options.rounds = std::max(1, std::atoi(args[++i].c_str()));
    } else if (args[i] == "--only" && more) {
      options.only.push_back(args[++i]);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int Main(const std::vector<std::string>& args) {
  if (!args.empty() && args[0] == "--role") return RunRole(args);
  Options options;
  if (!Parse(args, options)) return Usage();
  if (::geteuid() != 0) {
    std::fprintf(stderr, "bench_streams: must be root, to see the server's memory\n");
    return 1;
  }
  static const Host host;  // so that exit, where a measurement gives up, stops it too
  if (!host.problem().empty()) {
    std::fprintf(stderr, "%s\n", host.problem().c_str());
    return 1;
  }
  const auto wanted = [&](const char* name) {
    return options.only.empty() || std::find(options.only.begin(), options.only.end(), name) != options.only.end();
  };
  if (wanted("idle")) MeasureIdle(host, options);
  // Memory next, while the allocator is fresh.
  if (wanted("memory")) MeasureMemory(host, options);
  if (wanted("throughput")) MeasureThroughput(host, options);
  if (wanted("capture")) MeasureCapture(host, options);
  if (wanted("latency")) MeasureLatency(host, options);
  return 0;
}

}  // namespace jobd::bench

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  // As jobd and jobctl have it: what is compared is what they do besides.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  ::mallopt(M_MMAP_THRESHOLD, 8 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 32 << 20);
  return jobd::bench::Main({argv + 1, argv + argc});
}
