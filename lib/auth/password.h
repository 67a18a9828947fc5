// Passwords: argon2id (RFC 9106) by libsodium, a few at a time. 64 MiB and two passes take about 50 ms of one processor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/password_hash.h"
#include "base/result.h"

namespace jobd::auth {

inline constexpr size_t kMinPasswordBytes = 8;
inline constexpr size_t kMaxPasswordBytes = 1024;

// kInvalidArgument, as a sentence, when `password` may not be set: too short, too long, a control character (it could not be typed
// again), or not UTF-8 (other keyboards and programs would send other bytes).
base::Status CheckNewPassword(std::string_view password);

// Overwrites the text and makes it empty; the compiler may not leave that out.
void Wipe(std::string& secret);

// Wipes what it points to at the end of a scope, whichever way that is left.
class WipeAtEnd {
 public:
  explicit WipeAtEnd(std::string& secret) : secret_(secret) {}
  ~WipeAtEnd() { Wipe(secret_); }
  WipeAtEnd(const WipeAtEnd&) = delete;
  WipeAtEnd& operator=(const WipeAtEnd&) = delete;

 private:
  std::string& secret_;
};

// Hashes and checks. Thread-safe: at most `at_once` callers compute, at most `waiting` others wait for their turn, in any order,
// and who comes then is refused at once. So the memory is bounded: at_once * kMostHashCost.memory_kib, and usually half of it.
class PasswordHasher {
 public:
  struct Options {
    HashCost cost;  // of new hashes
    uint32_t at_once = 4;
    uint32_t waiting = 256;
  };
  // kFailedPrecondition when the cost is outside of what ParsePasswordHash accepts; kInternal when libsodium does not start.
  static base::Result<std::unique_ptr<PasswordHasher>> Create(const Options& options);
  ~PasswordHasher();

  // The text for the users file, with a fresh salt. kInvalidArgument as CheckNewPassword; kResourceExhausted when too many wait or
  // the memory cannot be had.
  base::Result<std::string> Hash(std::string_view password) const;

  // Whether `password` is that of `hash`. Without a hash, for a user who does not exist or has no password, it does the same work
  // and says no, so that the time tells nobody who exists. A password over kMaxPasswordBytes is wrong before any work, for all
  // alike. Errors: kResourceExhausted as Hash; kInvalidArgument for a hash that ParsePasswordHash refuses.
  base::Result<bool> Verify(const std::optional<std::string>& hash, std::string_view password) const;

  // Whether a hash that was just verified should be made again: of another cost than new ones have.
  bool NeedsRehash(std::string_view hash) const;

 private:
  class Turns;
  PasswordHasher(const Options& options, std::string nobodys_hash);
  base::Result<std::string> Compute(std::string_view password) const;

  HashCost cost_;
  std::string nobodys_hash_;  // of a password that nobody knows, with cost_
  std::unique_ptr<Turns> turns_;
};

}  // namespace jobd::auth
