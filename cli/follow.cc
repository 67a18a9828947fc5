#include "cli/follow.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "cli/client.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::cli {

namespace {

constexpr base::Nanos kFirstPause = 50 * base::kNanosPerMilli;
constexpr base::Nanos kLongestPause = 2 * base::kNanosPerSecond;
constexpr base::Nanos kGiveUp = 600 * base::kNanosPerSecond;
constexpr int kMaxInternalErrors = 5;  // in a row: then it is no accident of the link

// A jobd that is killed in the middle of a message can look like any of these.
bool IsLinkLoss(base::Code code) {
  return code == base::Code::kUnavailable || code == base::Code::kCancelled || code == base::Code::kInternal;
}

}  // namespace

base::Status ReadLogs(Client& client, v1::StreamLogsRequest request,
                      const std::function<bool(const v1::StreamLogsResponse&)>& on_message,
                      const std::function<void(const std::string&)>& say, Canceller* canceller) {
  const base::SystemClock clock;
  base::Nanos last_contact = clock.Monotonic();
  base::Nanos pause = kFirstPause;
  int internal_errors = 0;
  bool lost = false;
  while (true) {
    base::Status status = client.StreamLogs(
        request,
        [&](const v1::StreamLogsResponse& message) {
          if (lost && say) say("the link is back");
          lost = false;
          last_contact = clock.Monotonic();
          pause = kFirstPause;
          internal_errors = 0;
          if (!message.cursor().empty()) request.set_cursor(message.cursor());
          return on_message(message);
        },
        canceller);
    if (status.ok() || canceller->cancelled() || !IsLinkLoss(status.error().code())) return status;
    if (status.error().code() == base::Code::kInternal && ++internal_errors >= kMaxInternalErrors) return status;
    if (clock.Monotonic() - last_contact >= kGiveUp) return status;
    if (!lost && say) say("lost the link to jobd (" + status.error().message() + "); trying again");
    lost = true;
    // With a connection, jobd itself asked us to come later; without, its return is the event to wait for.
    if (client.AwaitConnection(pause)) std::this_thread::sleep_for(std::chrono::nanoseconds(kFirstPause));
    pause = std::min(pause * 2, kLongestPause);
  }
}

}  // namespace jobd::cli
