#include "launch/launcher/sweeper.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <utility>

namespace jobd::launch {

namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kTryAgain{1};

}  // namespace

// One group, and everybody who waits for its end.
class Sweeper::OneSweep : public std::enable_shared_from_this<OneSweep> {
 public:
  OneSweep(Sweeper& sweeper, std::string name)
      : sweeper_(sweeper), name_(std::move(name)), events_(sweeper.context_), timer_(sweeper.context_) {}

  void Join(std::function<void()> done) { waiting_.push_back(std::move(done)); }
  std::vector<std::function<void()>> TakeWaiting() { return std::exchange(waiting_, {}); }

  void Step() {
    if (group_ == nullptr) {
      auto group = sweeper_.driver_.Open(name_);
      if (!group.ok() && group.error().code() == base::Code::kNotFound) return sweeper_.Finish(name_);
      // Want of descriptors, perhaps: what cannot be looked at may be there.
      if (!group.ok()) return TryAgain(group.error());
      group_ = *std::move(group);
    }
    const auto gone = RemoveOrKill();
    if (!gone.ok()) return TryAgain(gone.error());
    if (*gone) return sweeper_.Finish(name_);
    if (!events_.is_open()) {
      const int events = ::fcntl(group_->events_fd(), F_DUPFD_CLOEXEC, 3);
      if (events < 0) return TryAgain(base::SysError("watching a job's group", errno));
      boost::system::error_code refused;
      (void)events_.assign(events, refused);
      if (refused) {
        ::close(events);
        return TryAgain(base::SysError("watching a job's group", refused.value()));
      }
    }
    events_.async_wait(asio::posix::stream_descriptor::wait_error, [self = shared_from_this()](const boost::system::error_code& e) {
      if (!e) self->Step();
    });
  }

 private:
  // True: nothing is left. False: killed, and its events tell when it is empty.
  base::Result<bool> RemoveOrKill() {
    // The state is read before we wait for it to change: a change in between wakes us at once.
    JOBD_ASSIGN_OR_RETURN(const bool empty, group_->Empty());
    if (empty) {
      const auto removed = group_->Remove();
      if (removed.ok()) return true;
      if (removed.error().code() != base::Code::kFailedPrecondition) return removed.error();
    }
    JOBD_RETURN_IF_ERROR(group_->Kill());
    return group_->events_fd() < 0;  // then it has waited
  }

  void TryAgain(const base::Error& error) {
    if (!std::exchange(reported_, true)) sweeper_.report_("removing what a job left: " + error.message());
    timer_.expires_after(kTryAgain);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& e) {
      if (!e) self->Step();
    });
  }

  Sweeper& sweeper_;
  const std::string name_;
  std::unique_ptr<sandbox::JobGroup> group_;  // once it could be opened
  asio::posix::stream_descriptor events_;
  asio::steady_timer timer_;
  bool reported_ = false;
  std::vector<std::function<void()>> waiting_;
};

Sweeper::Sweeper(asio::io_context& context, sandbox::GroupDriver& driver, std::function<void(const std::string&)> report)
    : context_(context), driver_(driver), report_(std::move(report)) {}

Sweeper::~Sweeper() = default;

void Sweeper::Sweep(const std::string& group_name, std::function<void()> done) {
  if (const auto under_way = sweeps_.find(group_name); under_way != sweeps_.end()) return under_way->second->Join(std::move(done));
  const auto sweep = std::make_shared<OneSweep>(*this, group_name);
  sweep->Join(std::move(done));
  sweeps_.emplace(group_name, sweep);
  sweep->Step();
}

void Sweeper::Finish(const std::string& group_name) {
  const auto sweep = sweeps_.extract(group_name);
  for (const auto& done : sweep.mapped()->TakeWaiting()) done();
}

}  // namespace jobd::launch
