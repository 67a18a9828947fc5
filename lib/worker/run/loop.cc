#include "worker/run/loop.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <deque>
#include <future>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

#include "base/fd.h"
#include "base/guarded.h"
#include "base/thread_name.h"

namespace jobd::worker {
namespace {

// Longer than a quick disk takes. To wake the other thread costs as much as to commit a row.
constexpr base::Nanos kOvertakenAfter = base::kNanosPerMilli;

struct ReadWatch {
  ReadWatch(boost::asio::io_context& io, int fd, std::function<void()> on_ready) : descriptor(io, fd), ready(std::move(on_ready)) {}
  boost::asio::posix::stream_descriptor descriptor;  // borrows it: released before it ends
  std::function<void()> ready;
};

void Await(const std::shared_ptr<ReadWatch>& watch) {
  watch->descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                               [watch](const boost::system::error_code& cancelled) {
                                 if (cancelled) return;
                                 watch->ready();
                                 if (watch->descriptor.is_open()) Await(watch);  // else it unwatched itself
                               });
}

}  // namespace

struct Loop::Impl {
  boost::asio::io_context io{1};  // one thread at a time runs it
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running{boost::asio::make_work_guard(io)};
  std::map<int, std::shared_ptr<ReadWatch>> watches;
  std::array<std::thread, 2> threads;
  struct Asides {
    std::deque<std::function<void()>> waiting;
    bool stopped = false;
  };
  base::Guarded<Asides> asides;
  std::atomic<int> asides_left = 0;  // those that wait or are under way
  std::atomic<bool> with_log_disk = false;
  LogDisk log_disk;

  // True while the thread that takes the turns does something aside. Who sets it to false takes the turns from then on.
  std::atomic<bool> may_be_overtaken = false;
  std::atomic<bool> over = false;
  base::Fd overtake;  // a timer, for the thread that waits to take the turns

  std::function<void()> NextAside() {
    if (asides_left.load() == 0) return {};
    const auto locked = asides.Lock();
    if (locked->waiting.empty()) return {};
    auto next = std::move(locked->waiting.front());
    locked->waiting.pop_front();
    return next;
  }
  void DropAsides() {
    std::deque<std::function<void()>> dropped;
    const auto locked = asides.Lock();
    locked->stopped = true;
    dropped.swap(locked->waiting);
  }

  void WakeOther(base::Nanos in) {
    itimerspec once{};
    once.it_value = {.tv_sec = in / base::kNanosPerSecond, .tv_nsec = in % base::kNanosPerSecond};  // 0: not at all
    (void)::timerfd_settime(overtake.get(), 0, &once, nullptr);
  }

  // False when the other thread has the turns.
  bool DoAside(std::function<void()> work) {
    may_be_overtaken.store(true);
    WakeOther(kOvertakenAfter);
    work();
    work = nullptr;
    --asides_left;
    if (!may_be_overtaken.exchange(false)) return false;
    WakeOther(0);
    return true;
  }

  // False when the other thread has the turns, true when there are no more.
  bool TakeTurns() {
    while (io.run_one() > 0) {
      while (auto aside = NextAside()) {
        if (!DoAside(std::move(aside))) return false;
      }
    }
    over.store(true);
    WakeOther(1);
    return true;
  }

  // False when there are no more turns.
  bool AwaitTurns() {
    for (;;) {
      uint64_t expired = 0;
      if (::read(overtake.get(), &expired, sizeof(expired)) < 0 && errno != EINTR) return false;
      if (over.load()) return false;
      if (may_be_overtaken.exchange(false)) return true;
    }
  }
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {}

Loop::~Loop() {
  for (const auto& [fd, watch] : impl_->watches) watch->descriptor.release();
}

base::Status Loop::Start() {
  impl_->overtake.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  if (!impl_->overtake) return base::SysError("making a timer", errno);
  JOBD_RETURN_IF_ERROR(impl_->log_disk.Start());
  // Nothing is done before there are both.
  std::promise<bool> both;
  const std::shared_future<bool> begin = both.get_future().share();
  try {
    for (size_t i = 0; i < impl_->threads.size(); ++i) {
      impl_->threads[i] = std::thread([impl = impl_.get(), begin, first = i == 0] {
        base::NameThisThread("loop");
        if (!begin.get()) return;
        if (!first && !impl->AwaitTurns()) return;
        while (!impl->TakeTurns() && impl->AwaitTurns()) {
        }
      });
    }
  } catch (const std::system_error& error) {
    both.set_value(false);
    for (std::thread& thread : impl_->threads) {
      if (thread.joinable()) thread.join();
    }
    impl_->log_disk.Stop();
    return base::SysError("starting a thread", error.code().value());
  }
  both.set_value(true);
  return base::Ok();
}

void Loop::Stop(std::function<void()> last) {
  if (!impl_->threads[0].joinable()) {
    impl_->DropAsides();
    return impl_->log_disk.Stop();
  }
  Post([this, last = std::move(last)] {
    last();
    impl_->io.stop();
  });
  for (std::thread& thread : impl_->threads) thread.join();
  impl_->DropAsides();
  impl_->log_disk.Stop();
}

void Loop::Post(std::function<void()> work) { boost::asio::post(impl_->io, std::move(work)); }

void Loop::Aside(std::function<void()> work) {
  const auto asides = impl_->asides.Lock();
  if (asides->stopped) return;
  asides->waiting.push_back(std::move(work));
  ++impl_->asides_left;
}

void Loop::OnLogDisk(std::function<void()> work) {
  if (impl_->asides_left.load() > 0) return impl_->log_disk.Do(std::move(work));
  impl_->with_log_disk.store(true);
  Aside([this, work = impl_->log_disk.Tracked(std::move(work))] {
    work();
    impl_->with_log_disk.store(false);
  });
}

bool Loop::IsAsideWithLogDisk() const { return impl_->with_log_disk.load(); }

LogDisk& Loop::log_disk() { return impl_->log_disk; }

void Loop::After(base::Nanos delay, std::function<void()> work) {
  auto timer = std::make_shared<boost::asio::steady_timer>(impl_->io, std::chrono::nanoseconds(delay));
  timer->async_wait([timer, work = std::move(work)](const boost::system::error_code& cancelled) {
    if (!cancelled) work();
  });
}

base::Nanos Loop::Now() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Loop::WatchReadable(int fd, std::function<void()> ready) {
  const auto watch = std::make_shared<ReadWatch>(impl_->io, fd, std::move(ready));
  impl_->watches[fd] = watch;
  Await(watch);
}

void Loop::Unwatch(int fd) {
  const auto found = impl_->watches.find(fd);
  if (found == impl_->watches.end()) return;
  found->second->descriptor.release();
  impl_->watches.erase(found);
}

}  // namespace jobd::worker
