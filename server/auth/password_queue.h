// Passwords are checked here, away from the threads that serve calls: few at a time, in a queue that is bounded and fair.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "auth/password.h"
#include "base/guarded.h"
#include "base/result.h"
#include "server/auth/call_limits.h"
#include "worker/model/session_store.h"

namespace jobd::server {

// Has up to `at_once` threads named "login", from the first check on, which yield to all others. So the memory is that of so many
// hashes, whatever comes. Clients take turns, and each may have as many checks waiting as places stay free, so that one that floods
// the queue keeps no other out. Thread-safe.
class PasswordQueue {
 public:
  struct Options {
    auth::HashCost cost;  // of new hashes, and of the work that is done for nobody
    uint32_t at_once = 4;
    uint32_t waiting = 256;
  };
  // Comes once, on a thread of the queue's or before Check returns.
  using Done = std::function<void(base::Result<bool>)>;

  // `store` outlives it. What it has of hashes that were made again is read at the first check.
  PasswordQueue(worker::SessionStore& store, const Options& options);
  // As Stop.
  ~PasswordQueue();

  // Whether `password` is that of the user whose entry has this hash; empty: of nobody, which takes as long. When it is, and the
  // hash costs less than new ones, it is made again, and kept in the database: the users file is not the server's to change.
  // kResourceExhausted when too many wait.
  void Check(const std::string& client, std::string user, std::string hash, std::string password, Done done);

  // Answers kUnavailable to all that wait, and to all who come; returns when what was begun is done.
  void Stop();

 private:
  struct Job {
    std::unique_ptr<MemoryBudget::Share> place;
    std::string user;
    std::string hash;
    std::string password;
    Done done;
  };
  struct State {
    std::map<std::string, std::deque<Job>> waiting;  // by client; none is empty
    std::deque<std::string> turns;                   // the clients of `waiting`
    std::vector<std::thread> threads;
    bool stopping = false;
  };
  struct Rehashed {
    bool read = false;
    std::map<std::string, worker::RehashedPassword> by_user;
  };

  void Run();
  base::Result<bool> Verify(const Job& job);
  base::Result<const auth::PasswordHasher*> Hasher();
  // The hash that stands for the one in the users file.
  std::string HashInForce(const Job& job);
  void MakeAgain(const Job& job);

  worker::SessionStore& store_;
  const Options options_;
  MemoryBudget places_;
  base::Guarded<State> state_;
  std::condition_variable wake_;
  base::Guarded<std::unique_ptr<auth::PasswordHasher>> hasher_;  // made at the first check
  base::Guarded<Rehashed> rehashed_;
};

}  // namespace jobd::server
