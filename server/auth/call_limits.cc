#include "server/auth/call_limits.h"

namespace jobd::server {

base::Result<CallLimits::Token> CallLimits::Acquire(const std::string& user) {
  const auto counts = counts_.Lock();
  const auto found = counts->calls.find(user);
  const uint32_t calls = found == counts->calls.end() ? 0 : found->second;
  if (calls >= counts->max_calls) return base::Error(base::Code::kResourceExhausted, "you have too many calls in progress");
  counts->calls[user] = calls + 1;
  return Token(this, user);
}

void CallLimits::SetMax(uint32_t max_calls_per_user) { counts_.Lock()->max_calls = max_calls_per_user; }

uint32_t CallLimits::InProgress(const std::string& user) const {
  const auto counts = counts_.Lock();
  const auto found = counts->calls.find(user);
  return found == counts->calls.end() ? 0 : found->second;
}

void CallLimits::Release(const std::string& user) {
  const auto counts = counts_.Lock();
  const auto found = counts->calls.find(user);
  if (found != counts->calls.end() && --found->second == 0) counts->calls.erase(found);
}

base::Status UploadBudget::Share::Take(uint64_t bytes) {
  JOBD_RETURN_IF_ERROR(budget_.Take(user_, bytes));
  bytes_ += bytes;
  return base::Ok();
}

base::Status UploadBudget::Take(const std::string& user, uint64_t bytes) {
  const auto held = held_.Lock();
  const auto found = held->by_user.find(user);
  const uint64_t own = found == held->by_user.end() ? 0 : found->second;
  if (bytes > held->free || own + bytes > held->free - bytes) {
    return base::Error(base::Code::kResourceExhausted, "too many submissions are being received; try again");
  }
  held->free -= bytes;
  held->by_user[user] = own + bytes;
  return base::Ok();
}

void UploadBudget::Return(const std::string& user, uint64_t bytes) {
  const auto held = held_.Lock();
  held->free += bytes;
  const auto found = held->by_user.find(user);
  if (found != held->by_user.end() && (found->second -= bytes) == 0) held->by_user.erase(found);
}

}  // namespace jobd::server
