#include "worker/watch/file_watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <set>
#include <thread>
#include <unordered_map>

#include "base/fd.h"
#include "base/guarded.h"
#include "base/thread_name.h"

namespace jobd::worker {
namespace {

// Longer than anybody waits, and short enough to be added to any time.
constexpr base::Nanos kLongestDelay = 365ll * 86'400 * base::kNanosPerSecond;

class InotifyWatcher final : public FileWatcher {
 public:
  InotifyWatcher(std::unique_ptr<FileEvents> events, base::Fd wake)
      : events_(std::move(events)), wake_(std::move(wake)), thread_([this] { Run(); }) {}

  ~InotifyWatcher() override {
    stopping_.store(true);
    Interrupt();
    thread_.join();
  }

  base::Result<std::unique_ptr<FileWatch>> WatchFile(int dir, const std::string& name, Callback changed) override {
    return events_->WatchFile(dir, name, std::move(changed));
  }

  base::Result<std::unique_ptr<FileWatch>> WatchFolder(int dir, Callback created) override {
    return events_->WatchFolder(dir, std::move(created));
  }

  std::unique_ptr<WakeTimer> WakeAfter(base::Nanos delay, std::function<void()> wake) override {
    const auto due = Now() + std::chrono::nanoseconds(std::clamp<base::Nanos>(delay, 0, kLongestDelay));
    std::unique_ptr<WakeTimer> timer;
    bool earliest = false;
    {
      const auto timers = timers_.Lock();
      const auto place = timers->due.emplace(due, timers->next++).first;
      timers->wakes.emplace(place->second, std::move(wake));
      earliest = place == timers->due.begin();
      timer = std::make_unique<Timer>(*this, *place);
    }
    if (earliest) Interrupt();
    return timer;
  }

 private:
  using Due = std::pair<std::chrono::steady_clock::time_point, uint64_t>;  // the number tells equal times apart
  struct Timers {
    std::set<Due> due;
    std::unordered_map<uint64_t, std::function<void()>> wakes;  // by number
    uint64_t next = 0;
  };

  class Timer final : public WakeTimer {
   public:
    Timer(InotifyWatcher& watcher, Due due) : watcher_(watcher), due_(due) {}
    ~Timer() override {
      const auto timers = watcher_.timers_.Lock();
      timers->due.erase(due_);
      timers->wakes.erase(due_.second);
    }

   private:
    InotifyWatcher& watcher_;
    const Due due_;
  };

  static std::chrono::steady_clock::time_point Now() { return std::chrono::steady_clock::now(); }

  void Interrupt() {
    const uint64_t one = 1;
    // Fails only when the counter is full, and then the thread is woken already.
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  }

  void Run() {
    base::NameThisThread("watcher");
    std::array<pollfd, 2> ready = {{{events_->fd(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    while (!stopping_.load()) {
      const auto left = WakeDue();
      const timespec timeout = {.tv_sec = left.count() / base::kNanosPerSecond, .tv_nsec = left.count() % base::kNanosPerSecond};
      if (::ppoll(ready.data(), ready.size(), left.count() < 0 ? nullptr : &timeout, nullptr) <= 0) continue;  // time, or EINTR
      if (ready[1].revents != 0) {
        uint64_t count = 0;
        [[maybe_unused]] const ssize_t read = ::read(wake_.get(), &count, sizeof count);
      }
      if (ready[0].revents != 0) events_->Dispatch();
    }
  }

  // Calls what is due, and says how long it is until the next is; negative: there is none.
  std::chrono::nanoseconds WakeDue() {
    for (;;) {
      std::function<void()> wake;
      {
        const auto timers = timers_.Lock();
        if (timers->due.empty()) return std::chrono::nanoseconds(-1);
        const Due next = *timers->due.begin();
        if (const auto now = Now(); next.first > now) return next.first - now;
        timers->due.erase(timers->due.begin());
        const auto found = timers->wakes.find(next.second);
        wake = std::move(found->second);
        timers->wakes.erase(found);
      }
      wake();
    }
  }

  const std::unique_ptr<FileEvents> events_;
  const base::Fd wake_;  // an eventfd: there is a new first timer, or it is the end
  std::atomic<bool> stopping_{false};
  base::Guarded<Timers> timers_;
  std::thread thread_;
};

}  // namespace

base::Result<std::unique_ptr<FileWatcher>> FileWatcher::Create() {
  JOBD_ASSIGN_OR_RETURN(auto events, FileEvents::Create());
  base::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return base::SysError("making an eventfd", errno);
  return std::unique_ptr<FileWatcher>(std::make_unique<InotifyWatcher>(std::move(events), std::move(wake)));
}

}  // namespace jobd::worker
