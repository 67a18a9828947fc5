#include "server/rpc/stream_registry.h"

#include <pthread.h>

#include <chrono>

namespace jobd::server {
namespace {

constexpr auto kInterval = std::chrono::seconds(2);

}  // namespace

StreamRegistry::StreamRegistry()
    : thread_([this] {
        pthread_setname_np(pthread_self(), "streams");
        Run();
      }) {}

StreamRegistry::~StreamRegistry() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

StreamRegistry::Registration StreamRegistry::Add(const std::shared_ptr<LiveCall>& call) {
  std::unique_lock lock(mutex_);
  const uint64_t id = next_id_++;
  calls_.emplace(id, call);
  const bool first = calls_.size() == 1;
  const std::unique_ptr<grpc::Status> ended = ended_ ? std::make_unique<grpc::Status>(*ended_) : nullptr;
  lock.unlock();
  if (first) changed_.notify_all();
  if (ended) call->End(*ended);
  return {this, id};
}

void StreamRegistry::Remove(uint64_t id) {
  const std::lock_guard lock(mutex_);
  calls_.erase(id);
}

size_t StreamRegistry::size() const {
  const std::lock_guard lock(mutex_);
  return calls_.size();
}

std::vector<std::shared_ptr<LiveCall>> StreamRegistry::Snapshot() const {
  std::vector<std::shared_ptr<LiveCall>> calls;
  const std::lock_guard lock(mutex_);
  calls.reserve(calls_.size());
  for (const auto& [id, weak] : calls_) {
    if (auto call = weak.lock()) calls.push_back(std::move(call));
  }
  return calls;
}

void StreamRegistry::EndAll(const grpc::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    ended_ = std::make_unique<grpc::Status>(status);
  }
  for (const auto& call : Snapshot()) call->End(status);
}

void StreamRegistry::RecheckAll() {
  for (const auto& call : Snapshot()) call->Recheck();
}

void StreamRegistry::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (calls_.empty()) {
      changed_.wait(lock, [this] { return stop_ || !calls_.empty(); });
      continue;
    }
    if (changed_.wait_for(lock, kInterval, [this] { return stop_; })) return;
    lock.unlock();
    for (const auto& call : Snapshot()) {
      call->Abort();
      call->Recheck();
    }
    lock.lock();
  }
}

}  // namespace jobd::server
