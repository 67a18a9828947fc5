// From a name and a password to a session. What is decided here knows no transport.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "server/auth/access.h"
#include "server/auth/password_queue.h"
#include "server/auth/session/login_throttle.h"
#include "server/auth/session/session_table.h"

namespace jobd::server {

// Thread-safe.
class Logins {
 public:
  // All outlive it.
  Logins(AccessControl& access, SessionTable& sessions, LoginThrottle& throttle, PasswordQueue& passwords)
      : access_(access), sessions_(sessions), throttle_(throttle), passwords_(passwords) {}

  // `retry_after` is how long it is until the same may be granted; 0: nobody knows.
  using Done = std::function<void(base::Result<SessionTable::Granted> granted, base::Nanos retry_after)>;

  // Begins a session of `user`. `by` is who asks, by certificate alone.
  //
  // A user's own certificate is for that user: any other name is kPermissionDenied, before anything is looked at. From a host's a
  // wrong password, a user who is not there, disabled or without a password, and one whom the host may not log in and who has
  // shown no right password, are kUnauthenticated in the same words after the same work. Who has shown the right one is told that
  // this host is not for them: kPermissionDenied. kResourceExhausted, with the time to wait, as LoginThrottle and PasswordQueue.
  // `done` comes once, on any thread, perhaps before this returns.
  void Login(const Caller& by, std::string user, std::string password, SessionTable::Lifetimes lifetimes, Done done);

 private:
  AccessControl& access_;
  SessionTable& sessions_;
  LoginThrottle& throttle_;
  PasswordQueue& passwords_;
};

}  // namespace jobd::server
