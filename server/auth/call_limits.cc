#include "server/auth/call_limits.h"

namespace jobd::server {

base::Result<CallLimits::Token> CallLimits::Acquire(const std::string& user) {
  const std::lock_guard lock(mutex_);
  uint32_t& calls = calls_[user];
  if (calls >= max_calls_) return base::Error(base::Code::kResourceExhausted, "you have too many calls in progress");
  ++calls;
  return Token(this, user);
}

void CallLimits::SetMax(uint32_t max_calls_per_user) {
  const std::lock_guard lock(mutex_);
  max_calls_ = max_calls_per_user;
}

uint32_t CallLimits::InProgress(const std::string& user) const {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(user);
  return found == calls_.end() ? 0 : found->second;
}

void CallLimits::Release(const std::string& user) {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(user);
  if (found != calls_.end() && --found->second == 0) calls_.erase(found);
}

base::Status UploadBudget::Take(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes > free_) return base::Error(base::Code::kResourceExhausted, "too many submissions are being received; try again");
  free_ -= bytes;
  return base::Ok();
}

void UploadBudget::Return(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  free_ += bytes;
}

}  // namespace jobd::server
