// Log streams that outlive the link.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace jobd::v1 {
class StreamLogsRequest;
class StreamLogsResponse;
}  // namespace jobd::v1

namespace jobd::cli {

class Canceller;
class Client;

// Reads the stream to its end. When the link is lost, connects again, with growing pauses, and goes on behind the last message, so
// that nothing is missed and nothing comes twice. Gives up when jobd does not answer for ten minutes. `say` is told of a loss
// and of the return, once each. on_message ends it by returning false.
base::Status ReadLogs(Client& client, v1::StreamLogsRequest request,
                      const std::function<bool(const v1::StreamLogsResponse&)>& on_message,
                      const std::function<void(const std::string&)>& say, Canceller* canceller);

}  // namespace jobd::cli
