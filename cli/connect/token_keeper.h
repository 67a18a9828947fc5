// The token of a login while jobctl runs: renewed before it ends, however long that takes, and shared with other jobctl that run.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/result.h"
#include "cli/connect/settings.h"
#include "cli/connect/token_file.h"

namespace jobd::cli {

// Thread-safe. Has a thread where there is something to renew.
class TokenKeeper {
 public:
  struct Renewed {
    std::string token;
    base::Nanos expires_in = 0;
  };
  // Asks the service to renew this token. May take seconds; called by one thread at a time.
  using Renew = std::function<base::Result<Renewed>(const std::string& token)>;

  // The connection's token file. Null when there is none to use: no file, or one for another service or certificate, or one that
  // has ended; where the file was asked for these are errors. `renew` and `clock` may be called until the destructor returns.
  static base::Result<std::unique_ptr<TokenKeeper>> Open(const Connection& connection, Renew renew, const base::Clock& clock);
  // A renewal that has begun is waited for.
  ~TokenKeeper();
  TokenKeeper(const TokenKeeper&) = delete;
  TokenKeeper& operator=(const TokenKeeper&) = delete;

  // The token to send now. Renews it first when its time has come.
  std::string Current();
  // Whether there is another token than this one by now, which was refused: another jobctl may have renewed it.
  bool HasOtherThan(const std::string& refused);

 private:
  TokenKeeper(const Connection& connection, StoredToken token, Renew renew, const base::Clock& clock);
  void Run();
  // Under mutex_.
  void TakeFromFile();
  void RenewIfDue();

  const Connection connection_;
  const Renew renew_;
  const base::Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  StoredToken token_;
  base::Nanos not_before_ = 0;  // of the next try, after one that failed; monotonic
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace jobd::cli
