// The peer of a log stream: gRPC and mutual TLS as jobd has them, and nothing behind it.
#pragma once

#include <string>

namespace jobd::bench {

// Serves StreamLogs, as certificates in `certs` allow, until it is killed; prints its port. A request's correlation ID says what is
// wanted, its offset how many bytes in all, its index how many in a message:
//   "raw"       messages out of memory, as slices
//   "message"   the same, made into a protobuf message for each write
//   "follow"    every line that the `writer` prints, as it is printed; the writer is started as `writer ticks ARGS…`, by the first
// Every message is a StreamLogsResponse of one chunk.
int RunBareServer(const std::string& certs, const std::string& writer, const std::string& ticks, const std::string& micros,
                  const std::string& fifo);

}  // namespace jobd::bench
