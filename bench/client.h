// What the benchmarks' clients share: a connection as jobctl makes it, and the end of the program when something is wrong with it.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace jobd::bench {

using Clock = std::chrono::steady_clock;

// A connection of its own to JOBCTL_ADDRESS, with JOBCTL_CA, JOBCTL_CERT and JOBCTL_KEY. Ends the program when those are no good.
std::shared_ptr<grpc::Channel> Connect();

// Ends the program with the status' text unless it is OK. `what` is what was tried.
void Demand(const grpc::Status& status, const char* what);

double MillisSince(Clock::time_point begin);

// The value that `part` (0 to 1) of them are not above. `values` are not empty, and are sorted by this.
double Quantile(std::vector<double>& values, double part);

}  // namespace jobd::bench
