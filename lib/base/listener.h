// Listening sockets. Addresses are numeric, or localhost: no name service is asked, which a static program could not do safely.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::base {

struct Listener {
  std::vector<Fd> sockets;  // non-blocking; "localhost" gives one for each address family that the machine has
  std::string address;      // "127.0.0.1:7443", "[::1]:40123": as bound, of the first
};

// Binds and listens. `where` is "HOST:PORT" or "[V6]:PORT"; port 0 lets the kernel pick one, the same for all sockets. SO_REUSEPORT
// stays off, so that a second daemon on the port is an error (gRPC's own listener has it on, and both "succeed").
Result<Listener> Listen(const std::string& where);

// Whether `where` is such an address; nothing is bound.
Status CheckListenAddress(const std::string& where);

// Binds a stream socket to `name` in the directory `dir` and listens; a socket that was left there is replaced, anything else is
// not. Connecting takes the right to write to it, which `mode` gives. There being no bindat(2), the working directory is `dir` for
// a moment: for the time before there are threads.
Result<Fd> ListenUnix(int dir, const std::string& name, mode_t mode);

// Whether `where` is an address of Listen that only this machine can reach: 127.x.x.x or ::1, in digits.
bool IsLoopback(const std::string& where);

// Of sockets that somebody else bound. kFailedPrecondition when there is none, or one that does not listen.
Result<Listener> AdoptListeners(std::vector<Fd> sockets);

// Connects to a Listener's address (to loopback where that is the wildcard). Blocking, within timeout_ms; the socket then has that
// time-out for sending and receiving too.
Result<Fd> ConnectTo(const std::string& address, int timeout_ms);

}  // namespace jobd::base
