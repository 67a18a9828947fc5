#include "cli/connect/token_keeper.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/files.h"

namespace jobd::cli {

namespace {

using base::Nanos;

constexpr Nanos kTryAgain = 2 * base::kNanosPerSecond;
// The wall clock may be set while we wait for it.
constexpr Nanos kLongestWait = 20 * base::kNanosPerSecond;

// One jobctl at a time: of two that renew the same token, the second would find it ended. Without the lock (a folder that cannot be
// written to) they go on all the same.
class FileLock {
 public:
  explicit FileLock(const std::string& path) {
    auto file = base::OpenAt(AT_FDCWD, path + ".lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!file.ok()) return;
    file_ = *std::move(file);
    while (::flock(file_.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
  }

 private:
  base::Fd file_;
};

}  // namespace

base::Result<std::unique_ptr<TokenKeeper>> TokenKeeper::Open(const Connection& connection, Renew renew, const base::Clock& clock) {
  std::unique_ptr<TokenKeeper> none;
  if (connection.token_file.empty()) return none;
  auto token = ReadTokenFile(connection.token_file);
  const bool asked = connection.token_is_asked;
  if (!token.ok()) {
    if (token.error().code() != base::Code::kNotFound) return std::move(token).error();
    if (!asked) return none;
    return base::Error(base::Code::kFailedPrecondition,
                       "there is no token in " + connection.token_file + ": log in first (jobctl login USER)");
  }
  if (!IsFor(*token, connection)) {
    if (!asked) return none;
    const std::string other = token->address != connection.address ? "at " + token->address : "with another certificate";
    return base::Error(base::Code::kFailedPrecondition,
                       connection.token_file + " is of a login " + other + ": log in again (jobctl login USER)");
  }
  if (!asked && token->expires_at != 0 && token->expires_at <= clock.Realtime()) return none;
  std::unique_ptr<TokenKeeper> keeper(new TokenKeeper(connection, *std::move(token), std::move(renew), clock));
  if (keeper->token_.renew_at != 0) keeper->thread_ = std::thread([raw = keeper.get()] { raw->Run(); });
  return keeper;
}

TokenKeeper::TokenKeeper(const Connection& connection, StoredToken token, Renew renew, const base::Clock& clock)
    : connection_(connection), renew_(std::move(renew)), clock_(clock), token_(std::move(token)) {}

TokenKeeper::~TokenKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::string TokenKeeper::Current() {
  const std::lock_guard lock(mutex_);
  RenewIfDue();
  return token_.token;
}

bool TokenKeeper::HasOtherThan(const std::string& refused) {
  const std::lock_guard lock(mutex_);
  if (token_.token == refused) TakeFromFile();
  return token_.token != refused;
}

void TokenKeeper::TakeFromFile() {
  auto stored = ReadTokenFile(connection_.token_file);
  if (stored.ok() && IsFor(*stored, connection_)) token_ = *std::move(stored);
}

void TokenKeeper::RenewIfDue() {
  if (token_.renew_at == 0 || clock_.Realtime() < token_.renew_at || clock_.Monotonic() < not_before_) return;
  const FileLock one_at_a_time(connection_.token_file);
  // Another jobctl may have done it.
  TakeFromFile();
  if (clock_.Realtime() < token_.renew_at) return;
  const auto renewed = renew_(token_.token);
  if (!renewed.ok()) {
    not_before_ = clock_.Monotonic() + kTryAgain;
    return;
  }
  auto fresh = NewToken(connection_, renewed->token, clock_.Realtime(), renewed->expires_in);
  if (!fresh.ok()) {
    // Its certificate's file is gone. What we have is good as long as we run.
    token_.token = renewed->token;
    token_.renew_at = clock_.Realtime() + renewed->expires_in / 3 * 2;
    return;
  }
  fresh->user = token_.user;
  fresh->session = token_.session;
  token_ = *std::move(fresh);
  // The old one has ended: one that cannot be written is lost with this jobctl, as the session is to the others.
  (void)WriteTokenFile(connection_.token_file, token_);
}

void TokenKeeper::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const Nanos until_due = std::max(token_.renew_at - clock_.Realtime(), not_before_ - clock_.Monotonic());
    if (until_due <= 0) {
      RenewIfDue();
      // Whatever came of it, others may have the token meanwhile.
      if (not_before_ <= clock_.Monotonic() && clock_.Realtime() >= token_.renew_at) not_before_ = clock_.Monotonic() + kTryAgain;
      continue;
    }
    wake_.wait_for(lock, std::chrono::nanoseconds(std::min(until_due, kLongestWait)), [&] { return stop_; });
  }
}

}  // namespace jobd::cli
