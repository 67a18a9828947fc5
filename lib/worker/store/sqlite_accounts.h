// How sessions, passwords and what a user has are spelled in SQL. Used by both sides of the store.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "worker/model/session_store.h"
#include "worker/store/batch_lookup.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {

inline constexpr std::string_view kSessionColumns =
    "handle, user, host, thumbprint, token, grounds, max_role, created_at, token_at, token_ends, ends, boot, token_ends_monotonic, "
    "ends_monotonic";
inline constexpr int kSessionColumnCount = 14;

// From parameter 1 on. `session` is borrowed until the statement is reset.
void BindSession(Statement& statement, const SessionRecord& session);

// As the functions of these names in readers.h.
base::Result<std::vector<SessionRecord>> ReadSessions(StatementCache& cache);
base::Result<std::vector<RehashedPassword>> ReadRehashed(StatementCache& cache);
base::Result<OwnerUse> ReadUse(StatementCache& cache, const std::string& owner);

}  // namespace jobd::worker
