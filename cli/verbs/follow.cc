#include "cli/verbs/follow.h"

#include "cli/connect/client.h"
#include "cli/connect/reconnect.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::cli {

base::Status ReadLogs(Client& client, v1::StreamLogsRequest request,
                      const std::function<bool(const v1::StreamLogsResponse&)>& on_message,
                      const std::function<void(const std::string&)>& say, Canceller* canceller) {
  Reconnect reconnect(client, say);
  while (true) {
    reconnect.Begin();
    base::Status status = client.StreamLogs(
        request,
        [&](const v1::StreamLogsResponse& message) {
          reconnect.Contact();
          if (!message.cursor().empty()) request.set_cursor(message.cursor());
          return on_message(message);
        },
        canceller);
    if (status.ok() || canceller->cancelled() || !reconnect.Again(status.error())) return status;
  }
}

}  // namespace jobd::cli
