// What is kept of logins, in the same database as the rest.
#pragma once

#include <string>
#include <vector>

#include "worker/model/session_store.h"
#include "worker/run/answer_guard.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Thread-safe. While a disk hangs writes wait for it like all others, so that the order of the calls is that of the commits, and
// the guard answers whoever waits.
class StoredSessions final : public SessionStore {
 public:
  // Both are borrowed and outlive it.
  StoredSessions(Store& store, AnswerGuard& guard) : store_(store), guard_(guard) {}

  base::Result<std::vector<SessionRecord>> Sessions() override;
  base::Result<std::vector<RehashedPassword>> Rehashed() override;
  void Put(SessionRecord session, Committed done) override;
  void Drop(std::vector<std::string> handles, Committed done) override;
  void Put(RehashedPassword password, Committed done) override;

 private:
  void Commit(std::vector<Change> changes, Committed done);

  Store& store_;
  AnswerGuard& guard_;
};

}  // namespace jobd::worker
