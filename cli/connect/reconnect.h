// Streams that outlive the link to jobd: they may last for days.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace jobd::v1 {
class StreamLogsRequest;
class StreamLogsResponse;
}  // namespace jobd::v1

namespace jobd::cli {

class Canceller;
class Client;

// Used in a loop: Begin, the stream with a Contact for each message, and when it fails Again. Not thread-safe; the client is
// borrowed.
class Reconnect {
 public:
  // `say` is told of a loss and of the return, once each; it may be empty.
  Reconnect(Client& client, std::function<void(const std::string&)> say);

  void Begin();
  void Contact();
  // True when a new attempt may help after `error`; returns when it is time for that attempt. False for other errors, when jobd has
  // not answered for ten minutes, and when it keeps failing inside.
  bool Again(const base::Error& error);

 private:
  Client& client_;
  std::function<void(const std::string&)> say_;
  base::SystemClock clock_;
  base::Nanos begun_ = 0;
  base::Nanos lost_at_ = 0;  // 0: the link stands, as far as we know
  base::Nanos pause_ = 0;
  int internal_errors_ = 0;
};

// Reads the stream to its end. When the link is lost, connects again, with growing pauses, and goes on behind the last message, so
// that nothing is missed and nothing comes twice. Gives up when jobd does not answer for ten minutes. `say` is told of a loss
// and of the return, once each. on_message ends it by returning false.
base::Status ReadLogs(Client& client, v1::StreamLogsRequest request,
                      const std::function<bool(const v1::StreamLogsResponse&)>& on_message,
                      const std::function<void(const std::string&)>& say, Canceller* canceller);

}  // namespace jobd::cli
