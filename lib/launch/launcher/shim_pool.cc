#include "launch/launcher/shim_pool.h"

#include <algorithm>
#include <utility>

namespace jobd::launch {

namespace {

// As many as may end at about the same time on a large machine. Each holds some 50 KiB.
constexpr size_t kMostWaiting = 64;

}  // namespace

std::shared_ptr<LiveShim> ShimPool::Take() {
  if (waiting_.empty()) return nullptr;
  auto shim = std::move(waiting_.back());
  waiting_.pop_back();
  return shim;
}

void ShimPool::Keep(std::shared_ptr<LiveShim> shim) {
  if (waiting_.size() >= kMostWaiting) return Dismiss(std::move(shim));
  shim->overslept = false;
  waiting_.push_back(std::move(shim));
  Tick();
}

void ShimPool::Tick() {
  if (ticking_ || waiting_.empty()) return;
  ticking_ = true;
  clock_.expires_after(turn_);
  clock_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    ticking_ = false;
    for (auto& shim : std::exchange(waiting_, {})) {
      if (std::exchange(shim->overslept, true)) {
        Dismiss(std::move(shim));
      } else {
        waiting_.push_back(std::move(shim));
      }
    }
    Tick();
  });
}

void ShimPool::Dismiss(std::shared_ptr<LiveShim> shim) {
  shim->channel.close();
  leaving_.push_back(std::move(shim));
}

void ShimPool::DismissAll() {
  for (auto& shim : std::exchange(waiting_, {})) Dismiss(std::move(shim));
}

void ShimPool::Remove(const LiveShim& shim) {
  const auto is_it = [&](const auto& kept) { return kept.get() == &shim; };
  std::erase_if(waiting_, is_it);
  std::erase_if(leaving_, is_it);
}

}  // namespace jobd::launch
