// Where the launcher meets a server that somebody else starts: a socket in the runtime directory, for the server's account alone.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "launch/process/file_owner.h"

namespace jobd::launch {

struct ServerSocketOptions {
  int dir = -1;          // borrowed, and outlives the socket. The server's account may own it
  FileOwner owner;       // of the names we make there
  uid_t server_uid = 0;  // who may connect
};

// A server that has connected.
struct ConnectedServer {
  base::Fd socket;  // for Launcher::Serve
  pid_t pid = 0;
  base::Fd pidfd;
};

struct ServerSocketHooks {
  std::function<void(ConnectedServer server)> on_server;
  // A connection was refused: why, a line.
  std::function<void(const std::string& text)> report;
};

// Listens at kServerSocketName. Refuses, by closing the connection: peers of another uid than server_uid, root included, and
// everyone while the process that connected last is alive. Single-threaded, on the context's thread. The destructor takes the name
// away.
class ServerSocket {
 public:
  // A socket of that name which an earlier launcher left is replaced.
  static base::Result<std::unique_ptr<ServerSocket>> Listen(boost::asio::io_context& context, const ServerSocketOptions& options,
                                                            ServerSocketHooks hooks);
  ~ServerSocket();
  ServerSocket(const ServerSocket&) = delete;
  ServerSocket& operator=(const ServerSocket&) = delete;

 private:
  ServerSocket(boost::asio::io_context& context, base::Fd socket, const ServerSocketOptions& options, ServerSocketHooks hooks);
  void AwaitConnection();
  // False: there was something to accept and nothing to accept it with.
  bool Accept();
  base::Result<ConnectedServer> Examine(base::Fd connection) const;

  ServerSocketOptions options_;
  ServerSocketHooks hooks_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer pause_;
  base::Fd last_;  // pidfd
};

}  // namespace jobd::launch
