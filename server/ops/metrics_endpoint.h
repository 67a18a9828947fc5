// GET /metrics, for a Prometheus on this machine: on a socket that the launcher listens on, a loopback port or a Unix socket.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::server {

// Plain HTTP/1.1, without TLS or names: it is reachable from this machine alone, and it tells numbers, no name of
// anybody's. At most 64 connections, each with 2 s for a request; of those that have not sent theirs, the oldest gives
// way to the next one. Runs a thread named "metrics", on which `text` is
// called.
class MetricsEndpoint {
 public:
  // `listening` is a listening stream socket. The destructor ends the thread; the socket is the launcher's and goes on listening.
  static base::Result<std::unique_ptr<MetricsEndpoint>> Start(base::Fd listening, std::function<std::string()> text);
  virtual ~MetricsEndpoint() = default;
};

}  // namespace jobd::server
