#include "worker/keep/maintenance_thread.h"

#include <utility>

#include "base/thread_name.h"

namespace jobd::worker {

void MaintenanceThread::Start() {
  thread_ = std::thread([this] { Run(); });
}

void MaintenanceThread::Post(std::function<void()> work) {
  {
    const auto queue = queue_.Lock();
    if (queue->stopping) return;
    queue->waiting.push_back(std::move(work));
  }
  wake_.notify_one();
}

void MaintenanceThread::SetTimer(base::Nanos delay, std::function<void()> work) {
  due_ = std::chrono::steady_clock::now() + std::chrono::nanoseconds(delay);
  at_due_ = std::move(work);
}

void MaintenanceThread::Shutdown() {
  queue_.Lock()->stopping = true;
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  // Outside of the lock: what is dropped may post when it is destroyed.
  const auto dropped = std::exchange(queue_.Lock()->waiting, {});
  at_due_ = nullptr;
}

void MaintenanceThread::Run() {
  base::NameThisThread("clean");
  while (const auto work = Next()) work();
}

std::function<void()> MaintenanceThread::Next() {
  const auto is_due = [this] { return due_ && std::chrono::steady_clock::now() >= *due_; };
  auto queue = queue_.Lock();
  const auto ready = [&] { return queue->stopping || !queue->waiting.empty() || is_due(); };
  while (!ready()) {
    if (due_) {
      queue.WaitFor(wake_, *due_ - std::chrono::steady_clock::now(), ready);
    } else {
      queue.Wait(wake_, ready);
    }
  }
  if (queue->stopping) return nullptr;
  // The timer first: what is posted again and again, as by a long prune, does not hold it up.
  if (is_due()) {
    due_.reset();
    return std::exchange(at_due_, nullptr);
  }
  auto work = std::move(queue->waiting.front());
  queue->waiting.pop_front();
  return work;
}

}  // namespace jobd::worker
