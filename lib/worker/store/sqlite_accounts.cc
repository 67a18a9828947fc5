#include "worker/store/sqlite_accounts.h"

namespace jobd::worker {

void BindSession(Statement& statement, const SessionRecord& session) {
  statement.BindText(1, session.handle).BindText(2, session.user).BindText(3, session.host).BindText(4, session.thumbprint);
  statement.BindBlob(5, session.token).BindBlob(6, session.grounds).Bind(7, session.max_role);
  statement.Bind(8, session.created_at).Bind(9, session.token_at).Bind(10, session.token_ends).Bind(11, session.ends);
  statement.Bind(12, session.boot).Bind(13, session.token_ends_monotonic).Bind(14, session.ends_monotonic);
}

base::Result<std::vector<SessionRecord>> ReadSessions(StatementCache& cache) {
  static const std::string kSelect = "SELECT " + std::string(kSessionColumns) + " FROM sessions";
  JOBD_ASSIGN_OR_RETURN(Statement* const select, cache.Prepared(kSelect));
  const StatementScope scope(*select);
  std::vector<SessionRecord> sessions;
  for (;;) {
    JOBD_ASSIGN_OR_RETURN(const bool more, select->Step());
    if (!more) return sessions;
    sessions.push_back({.handle = select->String(0),
                        .user = select->String(1),
                        .host = select->String(2),
                        .thumbprint = select->String(3),
                        .token = select->String(4),
                        .grounds = select->String(5),
                        .max_role = select->Uint32(6),
                        .created_at = select->Int(7),
                        .token_at = select->Int(8),
                        .token_ends = select->Int(9),
                        .ends = select->Int(10),
                        .boot = select->Uint(11),
                        .token_ends_monotonic = select->Int(12),
                        .ends_monotonic = select->Int(13)});
  }
}

base::Result<std::vector<RehashedPassword>> ReadRehashed(StatementCache& cache) {
  JOBD_ASSIGN_OR_RETURN(Statement* const select, cache.Prepared("SELECT user, replaces, hash FROM rehashed"));
  const StatementScope scope(*select);
  std::vector<RehashedPassword> passwords;
  for (;;) {
    JOBD_ASSIGN_OR_RETURN(const bool more, select->Step());
    if (!more) return passwords;
    passwords.push_back({.user = select->String(0), .replaces = select->String(1), .hash = select->String(2)});
  }
}

base::Result<OwnerUse> ReadUse(StatementCache& cache, const std::string& owner) {
  OwnerUse use;
  {
    // The batches that have not ended are few beside those that have, of all owners.
    JOBD_ASSIGN_OR_RETURN(Statement* const live,
                          cache.Prepared("SELECT ifnull(sum(queued + held_jobs), 0), ifnull(sum(starting + stopping), 0), count(*) "
                                         "FROM batches INDEXED BY batches_active WHERE ended_at = 0 AND owner = ?1"));
    const StatementScope scope(*live);
    live->BindText(1, owner);
    JOBD_ASSIGN_OR_RETURN(const bool found, live->Step());
    if (found) use = {.queued = live->Uint(0), .running = live->Uint(1), .batches = live->Uint(2)};
  }
  JOBD_ASSIGN_OR_RETURN(Statement* const kept, cache.Prepared("SELECT batches, bytes FROM kept WHERE owner = ?1"));
  const StatementScope scope(*kept);
  kept->BindText(1, owner);
  JOBD_ASSIGN_OR_RETURN(const bool found, kept->Step());
  if (found) {
    use.kept_batches = kept->Uint(0);
    use.kept_bytes = kept->Uint(1);
  }
  return use;
}

}  // namespace jobd::worker
