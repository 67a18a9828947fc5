// A shim as the launcher knows it. Private to the launcher.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "launch/contract/launch_request.h"

namespace jobd::launch {

// The shim counts a job's time from exec on, we from before; it is to be the first to act.
inline constexpr base::Nanos kTimeoutMargin = base::kNanosPerSecond;

// When a job is ended by the launcher, should its shim hang: stopped, or waiting for a disk.
struct Backstop {
  explicit Backstop(boost::asio::io_context& context) : timer(context) {}
  boost::asio::steady_timer timer;
  std::chrono::steady_clock::time_point terminate_at;
  std::chrono::steady_clock::time_point kill_at;
  int hung = 0;  // looks in a row that found the shim so
  bool terminated = false;
};

// Signals for the job that its shim has not taken yet, as far as we know: it hangs, perhaps.
struct Untaken {
  explicit Untaken(boost::asio::io_context& context) : timer(context) {}
  boost::asio::steady_timer timer;
  std::vector<int> signals;  // in the order in which they were sent; those that we have delivered are left out
  int hung = 0;              // looks in a row that found the shim so
};

// A shim that was forked or adopted, until it is gone and swept up after. Shared with the handlers that wait for its descriptors.
struct LiveShim {
  explicit LiveShim(boost::asio::io_context& context) : pidfd(context), channel(context) {}

  boost::asio::posix::stream_descriptor pidfd;
  // Open in one that can be given another job; see Assignment.
  boost::asio::posix::stream_descriptor channel;
  pid_t pid = 0;
  bool own_child = false;
  std::optional<JobKey> job;           // none: it waits for one, or is about to end
  uint32_t serial = 0;                 // of its job among those we gave it; 0: another launcher gave it
  std::optional<uid_t> uid;            // its job's, of the pool
  std::optional<std::string> owner;    // its job's, for whom it counts; none: it does not count
  uint32_t unsent = 0;                 // signals that could not be sent, and are tried again
  std::optional<int> unsent_cancel;    // the same of its cancel
  bool cancel_asked = false;           // it was told to end its job
  bool killed_first = false;           // before that, and in time, we sent SIGKILL to its job
  bool sweep_asked = false;            // Swept is owed when its job is over
  uint64_t policy = 0;                 // the policy it was forked under, by number
  std::unique_ptr<Backstop> backstop;  // of its job, if that is to end at a time
  std::unique_ptr<Untaken> untaken;
  bool overslept = false;  // it has waited for a whole turn of the pool's clock
};

}  // namespace jobd::launch
