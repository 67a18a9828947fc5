#include "launch/launcher/sweeper.h"

#include <fcntl.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <utility>

namespace jobd::launch {

namespace {

namespace asio = boost::asio;

// Keeps itself alive by the handler that waits.
class Sweeping : public std::enable_shared_from_this<Sweeping> {
 public:
  Sweeping(asio::io_context& context, std::unique_ptr<sandbox::JobGroup> group, std::function<void()> done)
      : events_(context), group_(std::move(group)), done_(std::move(done)) {}

  base::Status Step() {
    // Reading the state before waiting for it to change: a change in between wakes us at once.
    JOBD_ASSIGN_OR_RETURN(const bool empty, group_->Empty());
    if (empty) {
      auto removed = group_->Remove();
      if (removed.ok() || removed.error().code() != base::Code::kFailedPrecondition) {
        done_();
        return removed;
      }
    }
    JOBD_RETURN_IF_ERROR(group_->Kill());
    if (group_->events_fd() < 0) {
      done_();
      return base::Ok();
    }
    if (!events_.is_open()) events_.assign(::fcntl(group_->events_fd(), F_DUPFD_CLOEXEC, 3));
    events_.async_wait(asio::posix::stream_descriptor::wait_error, [self = shared_from_this()](const boost::system::error_code& e) {
      if (!e) (void)self->Step();
    });
    return base::Ok();
  }

 private:
  asio::posix::stream_descriptor events_;
  std::unique_ptr<sandbox::JobGroup> group_;
  std::function<void()> done_;
};

}  // namespace

void SweepGroup(asio::io_context& context, sandbox::GroupDriver& driver, const std::string& group_name, std::function<void()> done,
                const std::function<void(const std::string&)>& report) {
  auto group = driver.Open(group_name);
  if (!group.ok()) {
    if (group.error().code() != base::Code::kNotFound) report(group.error().message());
    done();
    return;
  }
  const auto status = std::make_shared<Sweeping>(context, std::move(group).value(), std::move(done))->Step();
  if (!status.ok()) report("removing what a job left: " + status.error().message());
}

}  // namespace jobd::launch
