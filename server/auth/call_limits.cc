#include "server/auth/call_limits.h"

namespace jobd::server {

namespace {

// What a call keeps in memory until its client has taken the answer, beside the answer.
constexpr uint64_t kCallBytes = 4096;

}  // namespace

base::Result<CallLimits::Token> CallLimits::Acquire(const std::string& user) {
  const auto counts = counts_.Lock();
  const auto found = counts->by_user.find(user);
  const Held held = found == counts->by_user.end() ? Held() : found->second;
  if (held.calls >= counts->max_calls) return base::Error(base::Code::kResourceExhausted, "you have too many calls in progress");
  if (held.untaken >= kMaxUntakenBytes) {
    return base::Error(base::Code::kResourceExhausted, "your clients have too many answers to read");
  }
  counts->by_user[user].calls = held.calls + 1;
  return Token(this, user);
}

void CallLimits::SetMax(uint32_t max_calls_per_user) { counts_.Lock()->max_calls = max_calls_per_user; }

uint32_t CallLimits::InProgress(const std::string& user) const {
  const auto counts = counts_.Lock();
  const auto found = counts->by_user.find(user);
  return found == counts->by_user.end() ? 0 : found->second.calls;
}

uint64_t CallLimits::Answer(const std::string& user, uint64_t bytes) {
  const auto counts = counts_.Lock();
  Held& held = counts->by_user[user];
  --held.calls;
  held.untaken += bytes + kCallBytes;
  return bytes + kCallBytes;
}

void CallLimits::Release(const std::string& user, uint64_t untaken) {
  const auto counts = counts_.Lock();
  const auto found = counts->by_user.find(user);
  if (found == counts->by_user.end()) return;
  Held& held = found->second;
  if (untaken != 0) {
    held.untaken -= untaken;
  } else {
    --held.calls;
  }
  if (held == Held()) counts->by_user.erase(found);
}

base::Status MemoryBudget::Share::Take(uint64_t bytes) {
  JOBD_RETURN_IF_ERROR(budget_.Take(user_, bytes));
  bytes_ += bytes;
  return base::Ok();
}

base::Status MemoryBudget::Take(const std::string& user, uint64_t bytes) {
  const auto held = held_.Lock();
  const auto found = held->by_user.find(user);
  const uint64_t own = found == held->by_user.end() ? 0 : found->second;
  if (bytes > held->free || own + bytes > held->free - bytes) {
    return base::Error(base::Code::kResourceExhausted, "too many " + std::string(purpose_) + "; try again");
  }
  held->free -= bytes;
  held->by_user[user] = own + bytes;
  return base::Ok();
}

void MemoryBudget::Return(const std::string& user, uint64_t bytes) {
  const auto held = held_.Lock();
  held->free += bytes;
  const auto found = held->by_user.find(user);
  if (found != held->by_user.end() && (found->second -= bytes) == 0) held->by_user.erase(found);
}

}  // namespace jobd::server
