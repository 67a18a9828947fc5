// AdminService: who is logged in.
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

#include "base/text.h"
#include "logging/fields.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/thumbprint.h"
#include "server/auth/session/session_table.h"
#include "server/rpc/stream_registry.h"
#include "server/rpc/task_pool.h"

namespace jobd::server::handlers {

void ListSessions(const Api& api, CallContext& /*call*/, const v1::ListSessionsRequest& in, v1::ListSessionsResponse& out,
                  Reply reply) {
  // Of the many that there may be, as many as an answer holds.
  constexpr size_t kMost = 10'000;
  for (const Session& session : api.sessions.List(in.user())) {
    if (static_cast<size_t>(out.sessions_size()) == kMost) break;
    auto* entry = out.add_sessions();
    entry->set_session(session.handle);
    entry->set_user(session.user);
    entry->set_host(session.host);
    entry->set_max_role(std::string(config::RoleName(session.max_role)));
    SetTime(session.created_at, entry->mutable_auth_time());
    SetTime(session.token_ends, entry->mutable_expires_at());
    SetTime(session.ends, entry->mutable_session_expires_at());
    entry->set_x5t_s256(ThumbprintOf(session.thumbprint));
  }
  reply.Succeed();
}

void EndSessions(const Api& api, CallContext& call, const v1::EndSessionsRequest& in, v1::EndSessionsResponse& out, Reply reply) {
  FieldCheck check;
  check.Require(in.session().empty() != in.user().empty(), "session", "must be given, or else a user");
  for (const auto& [field, name] : {std::pair{"session", in.session()}, std::pair{"user", in.user()}}) {
    check.Require(name.empty() || base::IsSafeName(name), field, "is no name");
  }
  if (const base::Status checked = check.Result(); !checked.ok()) return reply.Fail(checked.error());
  const std::string& by = call.caller().name();
  const bool of_user = in.session().empty();
  api.log.info("{}",
               logging::Line("sessions ended", {{of_user ? "user" : "session", of_user ? in.user() : in.session()}, {"by", by}}));
  auto ended = std::make_shared<size_t>(0);
  auto all_told = std::make_shared<std::atomic<bool>>(false);
  const auto answer = [&api, &out, reply, ended] {
    out.set_ended(static_cast<uint32_t>(*ended));
    api.streams.RecheckAll();
    reply.Succeed();
  };
  // The answer may be there before the count: whoever comes second gives it.
  *ended = api.sessions.End(
      [&](const Session& session) { return in.session().empty() ? session.user == in.user() : session.handle == in.session(); },
      [&api, reply, answer, all_told](const base::Status& committed) {
        if (!committed.ok()) return reply.Fail(committed.error());
        if (all_told->exchange(true)) api.tasks.Post(answer);
      });
  if (all_told->exchange(true)) api.tasks.Post(answer);
}

}  // namespace jobd::server::handlers
