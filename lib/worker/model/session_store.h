// What is kept of logins: sessions, which survive a restart, and passwords that were hashed again. What they mean is the server's
// business (server/auth/session_table.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace jobd::worker {

// The columns of the table `sessions`; schema.cc says what each is.
struct SessionRecord {
  std::string handle;
  std::string user;
  std::string host;
  std::string thumbprint;
  std::string token;
  std::string grounds;
  uint32_t max_role = 0;
  base::Nanos created_at = 0;
  base::Nanos token_at = 0;
  base::Nanos token_ends = 0;
  base::Nanos ends = 0;
  uint64_t boot = 0;
  base::Nanos token_ends_monotonic = 0;
  base::Nanos ends_monotonic = 0;
  bool operator==(const SessionRecord&) const = default;
};

struct RehashedPassword {
  std::string user;
  std::string replaces;
  std::string hash;
};

// What one owner has at this moment, as the database has it.
struct OwnerUse {
  uint64_t queued = 0;   // jobs that wait, held ones too
  uint64_t running = 0;  // jobs
  uint64_t batches = 0;  // that have not ended
  uint64_t kept_batches = 0;
  uint64_t kept_bytes = 0;  // of those that have been measured
};

// Thread-safe. Writes are committed in the order of the calls; `done` comes once, on any thread, perhaps before the call returns,
// must not block, and may be empty. While a disk hangs or fails: kUnavailable and the like, which may be told to clients.
class SessionStore {
 public:
  virtual ~SessionStore() = default;
  using Committed = std::function<void(base::Status)>;

  // These read on the calling thread.
  virtual base::Result<std::vector<SessionRecord>> Sessions() = 0;
  virtual base::Result<std::vector<RehashedPassword>> Rehashed() = 0;

  virtual void Put(SessionRecord session, Committed done) = 0;
  // All of them together.
  virtual void Drop(std::vector<std::string> handles, Committed done) = 0;
  virtual void Put(RehashedPassword password, Committed done) = 0;
};

}  // namespace jobd::worker
