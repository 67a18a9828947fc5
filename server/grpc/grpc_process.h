// What holds for gRPC in the whole process: how it locks, and where it logs.
#pragma once

#include <memory>

#include "base/clock.h"

namespace spdlog {
class logger;
}

namespace jobd::server {

// Switches off the search for deadlocks in Abseil's mutexes, which Debian's build has on: it puts every lock that gRPC takes
// through one graph behind one lock, and remembers each mutex in it. Call it in main(), before there are other threads.
void TuneGrpc();

// From here on gRPC writes nothing. For the start, when the service makes it refuse handshakes on purpose: it writes a line at
// ERROR to standard error for each handshake that fails.
void MuteGrpcLog();

// From here on gRPC's errors come as warnings in our log, at most a few a second, escaped. gRPC takes a plain function, so this is
// the one place with a static: once per process. `clock` lives as long as the process.
void RouteGrpcLog(std::shared_ptr<spdlog::logger> log, const base::Clock& clock);

}  // namespace jobd::server
