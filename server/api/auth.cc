// AuthService, but for WhoAmI.
#include <spdlog/spdlog.h>

#include "auth/password.h"
#include "base/text.h"
#include "logging/fields.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/auth/logins.h"
#include "server/ops/reloader.h"
#include "server/rpc/stream_registry.h"
#include "server/rpc/task_pool.h"

namespace jobd::server::handlers {
namespace {

SessionTable::Lifetimes LifetimesOf(const Api& api) {
  const auto config = api.reloader.config();
  return {.token = config->config.token_ttl, .session = config->config.session_ttl};
}

template <typename Answer>
void Fill(const SessionTable::Granted& granted, Answer& out) {
  out.set_access_token(granted.token->text());
  out.set_token_type("Bearer");
  SetTime(granted.session.token_ends, out.mutable_expires_at());
  out.set_session(granted.session.handle);
  SetTime(granted.session.ends, out.mutable_session_expires_at());
  SetDuration(granted.expires_in, out.mutable_expires_in());
}

// Who asks, for the log.
std::string From(const Caller& caller) { return caller.kind == CallerKind::kHost ? "host/" + caller.host : caller.name(); }

}  // namespace

void Login(const Api& api, CallContext& call, const v1::LoginRequest& in, v1::LoginResponse& out, Reply reply) {
  FieldCheck check;
  check.Require(!in.username().empty(), "username", "must not be empty");
  check.Require(in.username().size() <= base::kMaxNameBytes, "username", "is too long");
  check.Require(!in.password().empty(), "password", "must not be empty");
  // Before it costs anything; and of whoever it is.
  check.Require(in.password().size() <= auth::kMaxPasswordBytes, "password",
                "has at most " + std::to_string(auth::kMaxPasswordBytes) + " bytes");
  if (const base::Status checked = check.Result(); !checked.ok()) return reply.Fail(checked.error());
  const std::string user = base::EscapeForTerminal(in.username());
  const std::string from = From(call.caller());
  const std::string peer = base::EscapeForTerminal(call.facts().peer);
  api.logins.Login(
      call.caller(), in.username(), in.password(), LifetimesOf(api),
      [&api, &out, reply, user, from, peer](const base::Result<SessionTable::Granted>& granted, base::Nanos retry_after) {
        if (!granted.ok()) {
          const base::Code code = granted.error().code();
          // What was refused before it cost anything may come as often as its client likes.
          const bool free = code == base::Code::kResourceExhausted || code == base::Code::kPermissionDenied;
          api.log.log(
              free ? spdlog::level::debug : spdlog::level::info, "{}",
              logging::Line("login refused", {{"user", user}, {"from", from}, {"peer", peer}, {"code", base::CodeName(code)}}));
          return reply.Fail(granted.error(), retry_after);
        }
        const std::string& session = granted->session.handle;
        api.log.info("{}", logging::Line("login", {{"user", user}, {"from", from}, {"peer", peer}, {"session", session}}));
        Fill(*granted, out);
        reply.Succeed();
      });
}

void Renew(const Api& api, CallContext& call, const v1::RenewRequest& /*in*/, v1::RenewResponse& out, Reply reply) {
  api.sessions.Renew(*call.caller().session, LifetimesOf(api), [&out, reply](const base::Result<SessionTable::Granted>& granted) {
    if (!granted.ok()) return reply.Fail(granted.error());
    Fill(*granted, out);
    reply.Succeed();
  });
}

void Logout(const Api& api, CallContext& call, const v1::LogoutRequest& /*in*/, v1::LogoutResponse& out, Reply reply) {
  const std::string handle = call.caller().session->handle;
  out.set_session(handle);
  api.log.info("{}", logging::Line("logout", {{"user", call.caller().name()}, {"session", handle}}));
  api.sessions.End([&](const Session& session) { return session.handle == handle; },
                   [&api, reply](const base::Status& committed) {
                     // It has ended all the same, until a restart: the database may give it back then, for as long as its token
                     // would have lasted.
                     if (!committed.ok()) return reply.Fail(committed.error());
                     // Not on the store's thread.
                     api.tasks.Post([&api, reply] {
                       api.streams.RecheckAll();
                       reply.Succeed();
                     });
                   });
}

}  // namespace jobd::server::handlers
