#include "auth/password.h"

#include <sodium.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <new>

#include "base/text.h"

namespace jobd::auth {

namespace {

base::Error NoMemory() { return {base::Code::kResourceExhausted, "no memory to check a password: try again later"}; }

bool HasControl(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  }
  return false;
}

}  // namespace

base::Status CheckNewPassword(std::string_view password) {
  const auto wrong = [](std::string text) { return base::Error(base::Code::kInvalidArgument, std::move(text)); };
  if (password.size() < kMinPasswordBytes) {
    return wrong("a password has at least " + std::to_string(kMinPasswordBytes) + " characters");
  }
  if (password.size() > kMaxPasswordBytes) {
    return wrong("a password has at most " + std::to_string(kMaxPasswordBytes) + " bytes");
  }
  if (HasControl(password)) return wrong("a password has no control characters");
  if (!base::IsValidUtf8(password)) return wrong("a password is UTF-8 text");
  return base::Ok();
}

void Wipe(std::string& secret) {
  sodium_memzero(secret.data(), secret.capacity());
  secret.clear();
}

// Who computes and who waits.
class PasswordHasher::Turns {
 public:
  Turns(uint32_t at_once, uint32_t waiting) : free_(at_once), may_wait_(waiting) {}

  bool Take() {
    std::unique_lock lock(mutex_);
    if (free_ == 0) {
      if (may_wait_ == 0) return false;
      --may_wait_;
      freed_.wait(lock, [this] { return free_ > 0; });
      ++may_wait_;
    }
    --free_;
    return true;
  }
  void Return() {
    {
      const std::lock_guard lock(mutex_);
      ++free_;
    }
    freed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable freed_;
  uint32_t free_;
  uint32_t may_wait_;
};

PasswordHasher::PasswordHasher(const Options& options, std::string nobodys_hash)
    : cost_(options.cost),
      nobodys_hash_(std::move(nobodys_hash)),
      turns_(std::make_unique<Turns>(options.at_once, options.waiting)) {}

PasswordHasher::~PasswordHasher() = default;

base::Result<std::unique_ptr<PasswordHasher>> PasswordHasher::Create(const Options& options) {
  if (sodium_init() < 0) return base::Error(base::Code::kInternal, "libsodium does not start");
  if (options.at_once == 0) return base::Error(base::Code::kFailedPrecondition, "a hasher needs at least one turn");
  std::unique_ptr<PasswordHasher> hasher(new PasswordHasher(options, ""));
  std::string unknown(32, '\0');
  randombytes_buf(unknown.data(), unknown.size());
  auto hash = hasher->Compute(unknown);
  Wipe(unknown);
  if (!hash.ok()) return std::move(hash).error();
  if (auto cost = ParsePasswordHash(*hash); !cost.ok()) {
    return base::Error(base::Code::kFailedPrecondition, "the cost of passwords: " + cost.error().message());
  }
  hasher->nobodys_hash_ = std::move(*hash);
  return hasher;
}

base::Result<std::string> PasswordHasher::Compute(std::string_view password) const {
  std::array<char, crypto_pwhash_argon2id_STRBYTES> text{};
  if (!turns_->Take()) return base::Error(base::Code::kResourceExhausted, "too many passwords are being checked: try again later");
  const int failed =
      crypto_pwhash_argon2id_str(text.data(), password.data(), password.size(), cost_.passes, size_t{cost_.memory_kib} * 1024);
  turns_->Return();
  if (failed != 0) return NoMemory();
  return std::string(text.data());
}

base::Result<std::string> PasswordHasher::Hash(std::string_view password) const {
  JOBD_RETURN_IF_ERROR(CheckNewPassword(password));
  return Compute(password);
}

base::Result<bool> PasswordHasher::Verify(const std::optional<std::string>& hash, std::string_view password) const {
  if (password.size() > kMaxPasswordBytes) return false;
  const std::string& text = hash ? *hash : nobodys_hash_;
  if (auto cost = ParsePasswordHash(text); !cost.ok()) return std::move(cost).error();
  if (!turns_->Take()) return base::Error(base::Code::kResourceExhausted, "too many passwords are being checked: try again later");
  errno = 0;
  const int wrong = crypto_pwhash_argon2id_str_verify(text.c_str(), password.data(), password.size());
  const int why = errno;
  turns_->Return();
  // A wrong password sets nothing, or EINVAL in other versions.
  if (wrong != 0 && why == ENOMEM) return NoMemory();
  return wrong == 0 && hash.has_value();
}

bool PasswordHasher::NeedsRehash(std::string_view hash) const {
  const auto cost = ParsePasswordHash(hash);
  return !cost.ok() || *cost != cost_;
}

}  // namespace jobd::auth
