// What one identity may hold at a time. Counted here because a client that never acknowledges HTTP/2 settings is bound by no limit
// of the transport.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/result.h"

namespace jobd::server {

// Thread-safe. Tokens may outlive nothing: destroy them before the CallLimits they come from.
class CallLimits {
 public:
  explicit CallLimits(uint32_t max_calls_per_user) : max_calls_(max_calls_per_user) {}

  // One call in progress. Move-only; destroying it ends the count.
  class Token {
   public:
    Token() = default;
    Token(CallLimits* limits, std::string user) : limits_(limits), user_(std::move(user)) {}
    Token(Token&& other) noexcept : limits_(std::exchange(other.limits_, nullptr)), user_(std::move(other.user_)) {}
    Token& operator=(Token&& other) noexcept {
      std::swap(limits_, other.limits_);
      std::swap(user_, other.user_);
      return *this;
    }
    ~Token() {
      if (limits_ != nullptr) limits_->Release(user_);
    }

   private:
    CallLimits* limits_ = nullptr;
    std::string user_;
  };

  // kResourceExhausted when this user has as many calls in progress as allowed.
  base::Result<Token> Acquire(const std::string& user);
  // Holds for calls from now on.
  void SetMax(uint32_t max_calls_per_user);
  uint32_t InProgress(const std::string& user) const;

 private:
  void Release(const std::string& user);

  mutable std::mutex mutex_;
  uint32_t max_calls_;
  std::unordered_map<std::string, uint32_t> calls_;
};

// Bytes of submissions that are being received, of everybody together: they are in memory until the batch is whole. Thread-safe.
class UploadBudget {
 public:
  explicit UploadBudget(uint64_t bytes) : free_(bytes) {}
  // kResourceExhausted when there is no room for so many more now.
  base::Status Take(uint64_t bytes);
  void Return(uint64_t bytes);

 private:
  std::mutex mutex_;
  uint64_t free_;
};

}  // namespace jobd::server
