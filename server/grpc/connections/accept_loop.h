// Accepts connections and hands them to gRPC.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>

#include <grpcpp/server_builder.h>

#include "base/fd.h"
#include "base/listener.h"
#include "base/result.h"
#include "server/grpc/connections/connection_table.h"

namespace jobd::server {

// gRPC's own listener ends for good at the first error of accept(2) that it does not know (EMFILE, ENOMEM, …), which any client can
// bring about; this one has a spare descriptor with which to refuse a connection when there are none left, and otherwise waits for
// the shortage to pass. Runs a thread named "accept".
class AcceptLoop {
 public:
  using Acceptor = grpc::experimental::ExternalConnectionAcceptor;
  // Told of refused connections; called on the loop's thread.
  using OnRefused = std::function<void(std::string_view peer, const char* why)>;

  // The server of `acceptor` has been started. `connections` outlives the loop.
  static base::Result<std::unique_ptr<AcceptLoop>> Start(base::Listener listener, std::unique_ptr<Acceptor> acceptor,
                                                         ConnectionTable& connections, uint32_t max_per_address,
                                                         OnRefused on_refused);
  // Closes the listening sockets and joins the thread; connections live on.
  ~AcceptLoop();
  AcceptLoop(const AcceptLoop&) = delete;
  AcceptLoop& operator=(const AcceptLoop&) = delete;

  const std::string& address() const { return listener_.address; }
  // Thread-safe; holds for connections from now on.
  void SetMaxPerAddress(uint32_t limit) { max_per_address_.store(limit, std::memory_order_relaxed); }

 private:
  AcceptLoop(base::Listener listener, std::unique_ptr<Acceptor> acceptor, ConnectionTable& connections, uint32_t max_per_address,
             OnRefused on_refused, base::Fd stop, base::Fd spare);
  void Run();
  // False when the socket has no more to give, or must be left alone for a while.
  bool AcceptOne(int listening, bool& shortage);
  void RefuseWithSpare(int listening);

  base::Listener listener_;
  std::unique_ptr<Acceptor> acceptor_;
  ConnectionTable& connections_;
  std::atomic<uint32_t> max_per_address_;
  OnRefused on_refused_;
  base::Fd stop_;   // an eventfd
  base::Fd spare_;  // given up for a moment when there are no descriptors left
  std::thread thread_;
};

}  // namespace jobd::server
