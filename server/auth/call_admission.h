// The first thing done for every call: authenticate the caller, check the right to the method, and count the call.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/auth/access.h"
#include "server/auth/access_table.h"
#include "server/auth/call_limits.h"

namespace jobd::server {

// What a client shows of itself with a call, whatever the transport.
struct Presented {
  std::string certificate;                 // its own, in PEM, as TLS has verified it, and behind it those that came with it
  std::vector<std::string> authorization;  // the values of the header of that name, as they came
  std::string peer = {};                   // its address, in the transport's form, for whoever is told of a refusal
};

// What a call is allowed. Lives as long as the call.
struct Admitted {
  Caller caller;
  Scope scope = Scope::kNone;
  CallLimits::Token quota;
};

// Knows certificates and rules, and no transport: each transport asks it once for each call. Thread-safe.
class CallAdmission {
 public:
  struct Refused {
    std::string_view method;
    std::string_view caller;  // its name, as far as it is known
    std::string_view peer;    // its address in the transport's form; empty: not known
    std::string_view pem;     // as in Presented
    // The same, parsed: of a call that had been admitted before, which has no PEM any more.
    const Certificate* certificate = nullptr;
    const base::Error& error;
  };
  // Told of each refusal. Thread-safe; must not block.
  using OnRefused = std::function<void(const Refused& refused)>;
  // `access` and `limits` outlive it.
  CallAdmission(AccessControl& access, CallLimits& limits, OnRefused on_refused)
      : access_(access), limits_(limits), on_refused_(std::move(on_refused)) {}

  // kUnauthenticated, kPermissionDenied or kResourceExhausted; kInvalidArgument for several authorizations.
  base::Result<Admitted> Admit(const Presented& presented, const MethodRule& rule);
  // Admits the same call anew, by the rules in force now: its caller and scope may be others than before, its quota stays. For a
  // call whose message came later than itself, and for an upload before it takes effect. `peer` as in Admit.
  base::Status AdmitAgain(Admitted& admitted, const MethodRule& rule, std::string_view peer) const;
  // Whether the caller who was let in by this would be admitted now with at least this scope. For calls that last.
  base::Status StillAdmitted(const Standing& standing, const MethodRule& rule, Scope scope) const;

 private:
  AccessControl& access_;
  CallLimits& limits_;
  const OnRefused on_refused_;
};

}  // namespace jobd::server
