// What one user may hold at a time. Counted here because a client that never acknowledges HTTP/2 settings is bound by no limit of
// the transport.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/guarded.h"
#include "base/result.h"

namespace jobd::server {

// Calls in progress, per user, and answers that were given and that the client has not taken yet. Thread-safe. It outlives its
// tokens.
class CallLimits {
 public:
  // Of answers that a user's clients have not taken: who lets more lie may not call until some are taken.
  static constexpr uint64_t kMaxUntakenBytes = 64u << 20;

  explicit CallLimits(uint32_t max_calls_per_user) { counts_.Lock()->max_calls = max_calls_per_user; }

  // One call in progress, or its answer. Move-only; its destructor ends the count.
  class Token {
   public:
    Token() = default;
    Token(CallLimits* limits, std::string user) : limits_(limits), user_(std::move(user)) {}
    Token(Token&& other) noexcept
        : limits_(std::exchange(other.limits_, nullptr)), user_(std::move(other.user_)), untaken_(other.untaken_) {}
    Token& operator=(Token&& other) noexcept {
      std::swap(limits_, other.limits_);
      std::swap(user_, other.user_);
      std::swap(untaken_, other.untaken_);
      return *this;
    }
    ~Token() {
      if (limits_ != nullptr) limits_->Release(user_, untaken_);
    }
    // The call is not in progress any more; from now on its answer of so many bytes counts. Once.
    void Answered(uint64_t bytes) {
      if (limits_ != nullptr) untaken_ = limits_->Answer(user_, bytes);
    }

   private:
    CallLimits* limits_ = nullptr;
    std::string user_;
    uint64_t untaken_ = 0;  // 0: in progress
  };

  // kResourceExhausted when this user has as many calls in progress as allowed, or too many answers that were not taken.
  base::Result<Token> Acquire(const std::string& user);
  // Holds for calls from now on.
  void SetMax(uint32_t max_calls_per_user);
  uint32_t InProgress(const std::string& user) const;

 private:
  struct Held {
    uint32_t calls = 0;
    uint64_t untaken = 0;
    bool operator==(const Held&) const = default;
  };
  struct Counts {
    uint32_t max_calls = 0;
    std::unordered_map<std::string, Held> by_user;  // users who hold nothing are not in it
  };
  // What the answer counts for: its bytes, and what a call costs that is not over.
  uint64_t Answer(const std::string& user, uint64_t bytes);
  void Release(const std::string& user, uint64_t untaken);

  base::Guarded<Counts> counts_;
};

// Memory for one purpose, such as submissions that are being received, which are in memory until the batch is whole. Shared by
// everybody so that nobody can take it all: a user may hold at most as much as stays free. A user alone gets half of it, and each
// further one half of the rest, so there is room for a newcomer however many others hold on to theirs. Thread-safe. It outlives its
// shares.
class MemoryBudget {
 public:
  // `purpose` is named to who gets none: "submissions are being received". Static storage.
  MemoryBudget(uint64_t bytes, std::string_view purpose) : purpose_(purpose) { held_.Lock()->free = bytes; }

  // What one call holds. Not thread-safe; its destructor gives everything back.
  class Share {
   public:
    Share(MemoryBudget& budget, std::string user) : budget_(budget), user_(std::move(user)) {}
    ~Share() { budget_.Return(user_, bytes_); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    // kResourceExhausted when the user may not have so much more now; the share is as before then.
    base::Status Take(uint64_t bytes);
    uint64_t bytes() const { return bytes_; }

   private:
    MemoryBudget& budget_;
    const std::string user_;
    uint64_t bytes_ = 0;
  };

 private:
  struct Held {
    uint64_t free = 0;
    std::unordered_map<std::string, uint64_t> by_user;  // users who hold nothing are not in it
  };
  base::Status Take(const std::string& user, uint64_t bytes);
  void Return(const std::string& user, uint64_t bytes);

  const std::string_view purpose_;
  base::Guarded<Held> held_;
};

}  // namespace jobd::server
