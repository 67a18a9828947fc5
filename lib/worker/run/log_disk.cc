#include "worker/run/log_disk.h"

#include <utility>

#include "base/thread_name.h"

namespace jobd::worker {
namespace {

// Asked for by every look at the status: no more often than this.
constexpr base::Nanos kProbeAgain = base::kNanosPerSecond;

// Nor is it asked by each of many that submit.
constexpr base::Nanos kLately = 100 * base::kNanosPerMilli;

base::Nanos Now() { return base::SystemClock().Monotonic(); }

}  // namespace

std::function<void()> LogDisk::Tracked(std::function<void()> work) {
  // Also of what is dropped undone.
  struct Entry {
    explicit Entry(std::shared_ptr<base::Guarded<Pending>> all) : pending(std::move(all)) {
      const auto locked = pending->Lock();
      number = ++locked->last;
      locked->since.emplace(number, Now());
    }
    ~Entry() { pending->Lock()->since.erase(number); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    std::shared_ptr<base::Guarded<Pending>> pending;
    uint64_t number = 0;
  };
  return [entry = std::make_shared<Entry>(pending_), work = std::move(work)]() mutable {
    work();
    entry->pending->Lock()->answered_at = Now();
    entry.reset();
  };
}

void LogDisk::Do(std::function<void()> work) {
  {
    const auto queue = queue_.Lock();
    if (queue->stopping) return;
    queue->waiting.push_back(Tracked(std::move(work)));
    if (!queue->thread.joinable()) queue->thread = std::thread([this] { Run(); });
  }
  wake_.notify_one();
}

void LogDisk::Probe(std::function<void()> probe) {
  {
    if (!pending_->Lock()->since.empty()) return;
    const auto queue = queue_.Lock();
    if (Now() - queue->probed_at < kProbeAgain) return;
    queue->probed_at = Now();
  }
  Do(std::move(probe));
}

bool LogDisk::Hangs() const {
  const auto pending = pending_->Lock();
  // The oldest has the lowest number.
  return !pending->since.empty() && Now() - pending->since.begin()->second >= kHangsAfter;
}

bool LogDisk::AnsweredLately() const {
  const auto pending = pending_->Lock();
  return pending->answered_at != 0 && Now() - pending->answered_at < kLately;
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
