// Listening sockets.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::server {

struct Listener {
  std::vector<base::Fd> sockets;  // non-blocking; "localhost" may give one for each address family
  std::string address;            // "127.0.0.1:7443", "[::1]:40123": as bound, of the first
};

// Binds and listens. `where` is "HOST:PORT" or "[V6]:PORT"; port 0 lets the kernel pick one, the same for all sockets. SO_REUSEPORT
// stays off, so that a second daemon on the port is an error (gRPC's own listener has it on, and both "succeed").
base::Result<Listener> Listen(const std::string& where);

// Connects to a Listener's address (to loopback where that is the wildcard). Blocking, within timeout_ms; the socket then has that
// time-out for sending and receiving too.
base::Result<base::Fd> ConnectTo(const std::string& address, int timeout_ms);

}  // namespace jobd::server
