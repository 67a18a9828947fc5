// gRPC's own log lines, in our log.
#pragma once

#include <memory>

#include "base/clock.h"

namespace spdlog {
class logger;
}

namespace jobd::server {

// gRPC writes a line at ERROR for each handshake a client fails, to standard error. From here on it writes nothing: for the start,
// when the service makes it refuse handshakes on purpose.
void MuteGrpcLog();

// From here on its errors come as warnings, at most a few a second, escaped. gRPC takes a plain function, so this is the one place
// with a static: once per process. `clock` lives as long as the process.
void RouteGrpcLog(std::shared_ptr<spdlog::logger> log, const base::Clock& clock);

}  // namespace jobd::server
