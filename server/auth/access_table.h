// The table of rights: which kind of caller may call which method in which role, and whose batches a call reaches. What the table
// does not name is refused.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/users.h"

namespace jobd::server {

// Whose batches a call reaches.
enum class Scope {
  kNone,  // the call is refused: PERMISSION_DENIED
  kOwn,   // the caller's own; other people's are as if they did not exist
  kAll,   // everybody's; also for methods that are not about batches
};

// What a method looks at to know its caller.
enum class Carries {
  kEither,       // the certificate of a user, or a token
  kCertificate,  // the certificate alone; a token is not looked at
  kToken,        // a token
};

// One line of the table. The roles are those of a user, by certificate or by token; a token's is bounded by its host's max_role.
struct MethodRule {
  std::string_view method;  // as in HTTP/2's :path, "/jobd.v1.AdminService/Start"
  Scope viewer = Scope::kNone;
  Scope operator_ = Scope::kNone;
  Scope admin = Scope::kNone;
  Scope host = Scope::kNone;  // of a host without a token
  Carries carries = Carries::kEither;
  Scope For(config::Role role) const;
};

std::span<const MethodRule> MethodRules();

// The rule of a method; nullptr when there is none, and then nobody may call the method.
const MethodRule* FindMethodRule(std::string_view method);

// The owner whose batches a request is about. `requested` is the owner field of the request; empty means the caller. kNotFound for
// another owner outside the scope, whether that owner exists or not; kInvalidArgument for text that cannot be an owner's name.
base::Result<std::string> ResolveOwner(std::string_view caller, Scope scope, const std::string& requested);

}  // namespace jobd::server
