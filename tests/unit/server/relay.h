// A TCP connection in the middle that a test can cut, as a network does: without a word to either side of the stream above it.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/listener.h"

namespace jobd::server::testing {

// Passes bytes between whoever connects to address() and `target`, until Cut.
class Relay {
 public:
  explicit Relay(std::string target)
      : target_(std::move(target)),
        listener_(*base::Listen("127.0.0.1:0")),
        stop_(eventfd(0, EFD_CLOEXEC)),
        thread_([this] { Run(); }) {}
  ~Relay() { Cut(); }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  const std::string& address() const { return listener_.address; }
  // Bytes from the client that have been passed on.
  size_t passed() const { return passed_; }
  // Ends everything at once, with a reset.
  void Cut() {
    if (!thread_.joinable()) return;
    eventfd_write(stop_.get(), 1);
    thread_.join();
  }

 private:
  void Run() {
    struct Pair {
      base::Fd client;
      base::Fd server;
    };
    std::vector<Pair> pairs;
    for (;;) {
      std::vector<pollfd> watched = {{stop_.get(), POLLIN, 0}, {listener_.sockets.front().get(), POLLIN, 0}};
      for (const Pair& pair : pairs) {
        watched.push_back({pair.client.get(), POLLIN, 0});
        watched.push_back({pair.server.get(), POLLIN, 0});
      }
      poll(watched.data(), watched.size(), -1);
      if (watched[0].revents != 0) break;
      for (size_t i = 0; i < pairs.size(); ++i) {
        if (watched[2 + 2 * i].revents != 0) passed_ += Copy(pairs[i].client, pairs[i].server);
        if (watched[3 + 2 * i].revents != 0) Copy(pairs[i].server, pairs[i].client);
      }
      if (watched[1].revents != 0) {
        base::Fd client(accept4(watched[1].fd, nullptr, nullptr, SOCK_CLOEXEC));
        auto server = base::ConnectTo(target_, 10'000);
        if (client && server.ok()) pairs.push_back({std::move(client), *std::move(server)});
      }
      std::erase_if(pairs, [](const Pair& pair) { return !pair.client || !pair.server; });
    }
    for (const Pair& pair : pairs) {
      const linger reset{.l_onoff = 1, .l_linger = 0};
      for (const base::Fd* side : {&pair.client, &pair.server})
        setsockopt(side->get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
  }
  // Closes `from` at its end.
  size_t Copy(base::Fd& from, base::Fd& to) {
    std::array<char, 65536> bytes;
    const ssize_t count = from ? recv(from.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) : 0;
    if (count <= 0) {
      if (count == 0 || errno != EAGAIN) from.reset();
      return 0;
    }
    for (ssize_t done = 0; to && done < count;) {
      const ssize_t sent = send(to.get(), bytes.data() + done, static_cast<size_t>(count - done), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) done += sent;
      if (sent > 0) continue;
      if (errno != EAGAIN) break;
      // Who does not read must not keep us from cutting.
      std::array<pollfd, 2> watched = {pollfd{stop_.get(), POLLIN, 0}, pollfd{to.get(), POLLOUT, 0}};
      poll(watched.data(), watched.size(), -1);
      if (watched[0].revents != 0) break;
    }
    return static_cast<size_t>(count);
  }

  const std::string target_;
  base::Listener listener_;
  const base::Fd stop_;
  std::atomic<size_t> passed_ = 0;
  std::thread thread_;
};

}  // namespace jobd::server::testing
