#include "bench/client.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cli/connect/channel.h"
#include "cli/connect/settings.h"

namespace jobd::bench {

std::shared_ptr<grpc::Channel> Connect() {
  auto connection = cli::ResolveConnection({}, cli::ProcessEnvironment());
  auto channel = connection.ok() ? cli::MakeChannel(*connection) : std::move(connection).error();
  if (!channel.ok()) {
    std::fprintf(stderr, "%s\n", channel.error().message().c_str());
    std::exit(1);
  }
  return *std::move(channel);
}

void Demand(const grpc::Status& status, const char* what) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", what, status.error_message().c_str());
  std::exit(1);
}

double MillisSince(Clock::time_point begin) { return std::chrono::duration<double, std::milli>(Clock::now() - begin).count(); }

double Quantile(std::vector<double>& values, double part) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(part * static_cast<double>(values.size())))];
}

}  // namespace jobd::bench
