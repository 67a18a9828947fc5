#include "worker/ops/stored_sessions.h"

#include <utility>

namespace jobd::worker {

base::Result<std::vector<SessionRecord>> StoredSessions::Sessions() {
  JOBD_ASSIGN_OR_RETURN(const auto reader, store_.Read<AccountReader>());
  return reader->Sessions();
}

base::Result<std::vector<RehashedPassword>> StoredSessions::Rehashed() {
  JOBD_ASSIGN_OR_RETURN(const auto reader, store_.Read<AccountReader>());
  return reader->Rehashed();
}

void StoredSessions::Put(SessionRecord session, Committed done) {
  Commit({PutSession{.session = std::move(session)}}, std::move(done));
}

void StoredSessions::Drop(std::vector<std::string> handles, Committed done) {
  std::vector<Change> changes;
  changes.reserve(handles.size());
  for (std::string& handle : handles) changes.emplace_back(DropSession{.handle = std::move(handle)});
  Commit(std::move(changes), std::move(done));
}

void StoredSessions::Put(RehashedPassword password, Committed done) {
  Commit({PutRehashed{.password = std::move(password)}}, std::move(done));
}

void StoredSessions::Commit(std::vector<Change> changes, Committed done) {
  const auto answer = guard_.Bound<bool>([done = std::move(done)](const base::Result<bool>& result) {
    if (done) done(result.ok() ? base::Ok() : base::Status(result.error()));
  });
  std::vector<Write> writes(1);
  writes[0].changes = std::move(changes);
  writes[0].done = [answer](const base::Status& status) {
    answer(status.ok() ? base::Result<bool>(true) : base::Result<bool>(status.error()));
  };
  store_.Apply(std::move(writes));
}

}  // namespace jobd::worker
