#include "cli/connect/reconnect.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "cli/connect/client.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::cli {

namespace {

constexpr base::Nanos kFirstPause = 50 * base::kNanosPerMilli;
constexpr base::Nanos kLongestPause = 2 * base::kNanosPerSecond;
constexpr base::Nanos kGiveUp = 600 * base::kNanosPerSecond;
// A stream that stood this long had a link, even if no message came.
constexpr base::Nanos kStood = 5 * base::kNanosPerSecond;
constexpr int kMaxInternalErrors = 5;  // in a row; so many are no accident of the link

// A jobd that is killed in the middle of a message can look like any of these.
bool IsLinkLoss(base::Code code) {
  return code == base::Code::kUnavailable || code == base::Code::kCancelled || code == base::Code::kInternal;
}

}  // namespace

Reconnect::Reconnect(Client& client, std::function<void(const std::string&)> say) : client_(client), say_(std::move(say)) {}

void Reconnect::Begin() { begun_ = clock_.Monotonic(); }

void Reconnect::Contact() {
  if (lost_at_ != 0 && say_) say_("the link is back");
  lost_at_ = 0;
  internal_errors_ = 0;
}

bool Reconnect::Again(const base::Error& error) {
  const base::Nanos now = clock_.Monotonic();
  if (!IsLinkLoss(error.code())) return false;
  if (error.code() == base::Code::kInternal && ++internal_errors_ >= kMaxInternalErrors) return false;
  if (lost_at_ != 0 && now - begun_ >= kStood) Contact();
  if (lost_at_ == 0) {
    lost_at_ = now;
    pause_ = kFirstPause;
    if (say_) say_("lost the link to jobd (" + error.message() + "); trying again");
  } else if (now - lost_at_ >= kGiveUp) {
    return false;
  }
  // Without a connection its return is the event to wait for; with one, jobd itself asked us to come later.
  if (client_.AwaitConnection(pause_)) std::this_thread::sleep_for(std::chrono::nanoseconds(kFirstPause));
  pause_ = std::min(pause_ * 2, kLongestPause);
  return true;
}

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
