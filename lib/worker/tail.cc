#include "worker/tail.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <list>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>

#include "base/fd.h"
#include "worker/thread_name.h"

namespace jobd::worker {
namespace {

// Longer than anybody waits, and short enough to be added to any time.
constexpr base::Nanos kLongestDelay = 365ll * 86'400 * base::kNanosPerSecond;

class InotifyTail final : public Tail {
 public:
  InotifyTail(base::Fd inotify, base::Fd wake) : inotify_(std::move(inotify)), wake_(std::move(wake)), thread_([this] { Run(); }) {}

  ~InotifyTail() override {
    stopping_.store(true);
    Interrupt();
    thread_.join();
  }

  base::Result<std::unique_ptr<Watch>> WatchFile(int dir, const std::string& name, Callback changed) override {
    return Add("/proc/self/fd/" + std::to_string(dir) + "/" + name, IN_MODIFY | IN_DONT_FOLLOW, std::move(changed));
  }

  base::Result<std::unique_ptr<Watch>> WatchFolder(int dir, Callback created) override {
    return Add("/proc/self/fd/" + std::to_string(dir) + "/.", IN_CREATE | IN_MOVED_TO | IN_ONLYDIR, std::move(created));
  }

  std::unique_ptr<Watch> WakeAfter(base::Nanos delay, std::function<void()> wake) override {
    const auto due = Now() + std::chrono::nanoseconds(std::clamp<base::Nanos>(delay, 0, kLongestDelay));
    std::unique_ptr<Watch> timer;
    bool earliest = false;
    {
      const std::lock_guard lock(mutex_);
      const auto place = timers_.emplace(due, next_timer_++).first;
      wakes_.emplace(place->second, std::move(wake));
      earliest = place == timers_.begin();
      timer = std::make_unique<Timer>(*this, *place);
    }
    if (earliest) Interrupt();
    return timer;
  }

 private:
  using Callbacks = std::list<std::shared_ptr<const Callback>>;

  class Registered final : public Watch {
   public:
    Registered(InotifyTail& tail, int descriptor, Callbacks::iterator place)
        : tail_(tail), descriptor_(descriptor), place_(place) {}
    ~Registered() override { tail_.Remove(descriptor_, place_); }

   private:
    InotifyTail& tail_;
    const int descriptor_;
    const Callbacks::iterator place_;
  };

  using Due = std::pair<std::chrono::steady_clock::time_point, uint64_t>;

  class Timer final : public Watch {
   public:
    Timer(InotifyTail& tail, Due due) : tail_(tail), due_(due) {}
    ~Timer() override {
      const std::lock_guard lock(tail_.mutex_);
      tail_.timers_.erase(due_);
      tail_.wakes_.erase(due_.second);
    }

   private:
    InotifyTail& tail_;
    const Due due_;
  };

  static std::chrono::steady_clock::time_point Now() { return std::chrono::steady_clock::now(); }

  void Interrupt() {
    const uint64_t one = 1;
    // Fails only when the counter is full, and then the thread is woken already.
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  }

  // Watches of one inode share a descriptor: inotify gives the same one for each of them.
  base::Result<std::unique_ptr<Watch>> Add(const std::string& path, uint32_t mask, Callback callback) {
    const std::lock_guard lock(mutex_);
    const int descriptor = ::inotify_add_watch(inotify_.get(), path.c_str(), mask);
    if (descriptor < 0) return base::SysError("watching a file", errno);
    auto& list = callbacks_[descriptor];
    list.push_back(std::make_shared<const Callback>(std::move(callback)));
    return std::unique_ptr<Watch>(std::make_unique<Registered>(*this, descriptor, std::prev(list.end())));
  }

  void Remove(int descriptor, Callbacks::iterator place) {
    const std::lock_guard lock(mutex_);
    auto& list = callbacks_[descriptor];
    list.erase(place);
    if (!list.empty()) return;
    callbacks_.erase(descriptor);
    ::inotify_rm_watch(inotify_.get(), descriptor);
  }

  void Run() {
    NameThisThread("tail");
    alignas(inotify_event) std::array<char, 64 * 1024> buffer;
    std::array<pollfd, 2> ready = {{{inotify_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    while (!stopping_.load()) {
      const auto left = WakeDue();
      const timespec timeout = {.tv_sec = left.count() / base::kNanosPerSecond, .tv_nsec = left.count() % base::kNanosPerSecond};
      if (::ppoll(ready.data(), ready.size(), left.count() < 0 ? nullptr : &timeout, nullptr) <= 0) continue;  // time, or EINTR
      if (ready[1].revents != 0) {
        uint64_t count = 0;
        [[maybe_unused]] const ssize_t read = ::read(wake_.get(), &count, sizeof count);
      }
      const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
      if (size > 0) Deliver(buffer.data(), static_cast<size_t>(size));
    }
  }

  // Calls what is due, and says how long it is until the next is; negative: there is none.
  std::chrono::nanoseconds WakeDue() {
    for (;;) {
      std::function<void()> wake;
      {
        const std::lock_guard lock(mutex_);
        if (timers_.empty()) return std::chrono::nanoseconds(-1);
        const Due next = *timers_.begin();
        if (const auto now = Now(); next.first > now) return next.first - now;
        timers_.erase(timers_.begin());
        const auto found = wakes_.find(next.second);
        wake = std::move(found->second);
        wakes_.erase(found);
      }
      wake();
    }
  }

  void Deliver(const char* events, size_t size) {
    for (size_t at = 0; at < size;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(events + at);
      at += sizeof(inotify_event) + event->len;
      const std::string_view name = event->len == 0 ? std::string_view() : std::string_view(event->name);
      for (const auto& callback : Concerned(*event)) (*callback)(name);
    }
  }

  // A copy, so that no lock is held while callbacks run: they may come back to add watches.
  Callbacks Concerned(const inotify_event& event) {
    const std::lock_guard lock(mutex_);
    if ((event.mask & IN_Q_OVERFLOW) == 0) {
      const auto found = callbacks_.find(event.wd);
      return found == callbacks_.end() ? Callbacks() : found->second;
    }
    // Nobody knows what was missed: all look.
    Callbacks all;
    for (const auto& [descriptor, list] : callbacks_) all.insert(all.end(), list.begin(), list.end());
    return all;
  }

  const base::Fd inotify_;
  const base::Fd wake_;  // an eventfd: there is a new first timer, or it is the end
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::unordered_map<int, Callbacks> callbacks_;               // guarded by mutex_
  std::set<Due> timers_;                                       // guarded by mutex_
  std::unordered_map<uint64_t, std::function<void()>> wakes_;  // guarded by mutex_
  uint64_t next_timer_ = 0;                                    // guarded by mutex_
  std::thread thread_;
};

}  // namespace

base::Result<std::unique_ptr<Tail>> Tail::Create() {
  base::Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return base::SysError("making an inotify instance", errno);
  base::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return base::SysError("making an eventfd", errno);
  return std::unique_ptr<Tail>(std::make_unique<InotifyTail>(std::move(inotify), std::move(wake)));
}

}  // namespace jobd::worker
