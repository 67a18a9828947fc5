#include "worker/run/loop.h"

#include <array>
#include <atomic>
#include <boost/asio/defer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>
#include <deque>
#include <future>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

#include "base/guarded.h"
#include "base/thread_name.h"

namespace jobd::worker {
namespace {

using Turns = boost::asio::strand<boost::asio::io_context::executor_type>;

struct ReadWatch {
  ReadWatch(const Turns& turns, int fd, std::function<void()> on_ready) : descriptor(turns, fd), ready(std::move(on_ready)) {}
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
  boost::asio::io_context io{2};
  Turns turns{io.get_executor()};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running{boost::asio::make_work_guard(io)};
  std::map<int, std::shared_ptr<ReadWatch>> watches;
  std::array<std::thread, 2> threads;
  // Kept here, and not by Asio, which would keep what was dropped until it ends itself.
  struct Asides {
    std::deque<std::function<void()>> waiting;
    bool stopped = false;
  };
  base::Guarded<Asides> asides;
  std::atomic<int> asides_left = 0;  // those that wait or are under way
  std::atomic<bool> with_log_disk = false;
  LogDisk log_disk;

  std::function<void()> NextAside() {
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
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {}

Loop::~Loop() {
  for (const auto& [fd, watch] : impl_->watches) watch->descriptor.release();
}

base::Status Loop::Start() {
  JOBD_RETURN_IF_ERROR(impl_->log_disk.Start());
  // Nothing is done before there are both.
  std::promise<bool> both;
  const std::shared_future<bool> begin = both.get_future().share();
  try {
    for (std::thread& thread : impl_->threads) {
      thread = std::thread([this, begin] {
        base::NameThisThread("loop");
        if (begin.get()) impl_->io.run();
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

// Both are deferred: what one of our threads asks for it does itself when it is through with the present, instead of waking the
// other.
void Loop::Post(std::function<void()> work) { boost::asio::defer(impl_->turns, std::move(work)); }

void Loop::Aside(std::function<void()> work) {
  {
    const auto asides = impl_->asides.Lock();
    if (asides->stopped) return;
    asides->waiting.push_back(std::move(work));
  }
  ++impl_->asides_left;
  boost::asio::defer(impl_->io, [this] {
    if (const auto next = impl_->NextAside()) next();
    --impl_->asides_left;
  });
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
  auto timer = std::make_shared<boost::asio::steady_timer>(impl_->turns, std::chrono::nanoseconds(delay));
  timer->async_wait([timer, work = std::move(work)](const boost::system::error_code& cancelled) {
    if (!cancelled) work();
  });
}

base::Nanos Loop::Now() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Loop::WatchReadable(int fd, std::function<void()> ready) {
  const auto watch = std::make_shared<ReadWatch>(impl_->turns, fd, std::move(ready));
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
