// Verbs that last: Ctrl-C leaves them, and harms no job.
#pragma once

#include <atomic>
#include <memory>

#include "base/result.h"
#include "cli/connect/client.h"
#include "cli/connect/signals.h"

namespace jobd::cli {

class Session;

// The connection of a verb that lasts. While it lives, Ctrl-C ends the program at once until StreamsBegin was called, and from then
// on cancels the streams.
class Lasting {
 public:
  enum class Reader { kNeeded, kNotNeeded };

  // Connects. With kNeeded the end of the reader of our output (`| head`) cancels, too, at once instead of at the next write. Make
  // it before anything that connects, whose threads would take the signal.
  static base::Result<std::unique_ptr<Lasting>> Begin(Session& session, Reader reader);

  Client& client() { return *client_; }
  Canceller* canceller() { return &canceller_; }
  void StreamsBegin() { streaming_ = true; }
  // By Ctrl-C, or because the reader left.
  bool left() const { return canceller_.cancelled(); }

 private:
  Lasting() = default;

  Canceller canceller_;
  std::atomic<bool> streaming_ = false;
  Client* client_ = nullptr;  // borrowed from the session
  std::unique_ptr<SignalThread> signals_;
};

}  // namespace jobd::cli
