#include "worker/run/log_disk.h"

#include <system_error>
#include <utility>

#include "base/thread_name.h"

namespace jobd::worker {
namespace {

// Asked for by every look at the status: no more often than this.
constexpr base::Nanos kProbeAgain = base::kNanosPerSecond;

// Never a test's, as the loop's.
const base::SystemClock kClock;
// Nor is it asked by each of many that submit.
constexpr base::Nanos kLately = 100 * base::kNanosPerMilli;

}  // namespace

LogDisk::LogDisk() : LogDisk(kClock) {}

base::Status LogDisk::Start() {
  const auto queue = queue_.Lock();
  if (queue->stopping) return base::Ok();
  try {
    queue->thread = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    return base::SysError("starting a thread", error.code().value());
  }
  return base::Ok();
}

std::function<void()> LogDisk::Tracked(std::function<void()> work) const {
  struct Begun {
    Begun(base::Guarded<Pending>& all, base::Nanos now) : pending(all) {
      const auto locked = pending.Lock();
      number = ++locked->last;
      locked->since.emplace(number, now);
    }
    ~Begun() { pending.Lock()->since.erase(number); }
    Begun(const Begun&) = delete;
    Begun& operator=(const Begun&) = delete;
    base::Guarded<Pending>& pending;
    uint64_t number = 0;
  };
  return [&clock = clock_, pending = pending_, work = std::move(work)] {
    const Begun begun(*pending, clock.Monotonic());
    work();
    pending->Lock()->answered_at = clock.Monotonic();
  };
}

void LogDisk::Do(std::function<void()> work) {
  {
    const auto queue = queue_.Lock();
    if (queue->stopping) return;
    queue->waiting.push_back(Tracked(std::move(work)));
  }
  wake_.notify_one();
}

void LogDisk::Probe(std::function<void()> probe) {
  {
    if (!pending_->Lock()->since.empty()) return;
    const base::Nanos now = clock_.Monotonic();
    const auto queue = queue_.Lock();
    if (!queue->waiting.empty() || now - queue->probed_at < kProbeAgain) return;
    queue->probed_at = now;
  }
  Do(std::move(probe));
}

base::Nanos LogDisk::HangsFor() const {
  const auto pending = pending_->Lock();
  if (pending->since.empty()) return 0;
  // The oldest has the lowest number.
  const base::Nanos undone = clock_.Monotonic() - pending->since.begin()->second;
  return undone >= kHangsAfter ? undone : 0;
}

bool LogDisk::AnsweredLately() const {
  const auto pending = pending_->Lock();
  return pending->answered_at != 0 && clock_.Monotonic() - pending->answered_at < kLately;
}

void LogDisk::Stop() {
  std::deque<std::function<void()>> dropped;
  std::thread thread;
  {
    const auto queue = queue_.Lock();
    queue->stopping = true;
    dropped.swap(queue->waiting);
    thread = std::move(queue->thread);
  }
  wake_.notify_one();
  if (thread.joinable()) thread.join();
}

void LogDisk::Run() {
  base::NameThisThread("log-disk");
  for (;;) {
    std::function<void()> work;
    {
      auto queue = queue_.Lock();
      queue.Wait(wake_, [&] { return queue->stopping || !queue->waiting.empty(); });
      if (queue->stopping) return;
      work = std::move(queue->waiting.front());
      queue->waiting.pop_front();
    }
    work();
  }
}

}  // namespace jobd::worker
