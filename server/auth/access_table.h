// Who may call what: one table, and deny where it says nothing.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/users.h"

namespace jobd::server {

// How far a role's right to a method reaches.
enum class Reach {
  kNone,  // PERMISSION_DENIED
  kOwn,   // the caller's own batches; others' are as if they did not exist
  kAll,   // everybody's; and methods that are not about batches
};

struct Rule {
  std::string_view method;  // as in HTTP/2's :path, "/jobd.v1.AdminService/Start"
  Reach viewer = Reach::kNone;
  Reach operator_ = Reach::kNone;
  Reach admin = Reach::kNone;
  Reach For(config::Role role) const;
};

// The whole table.
std::span<const Rule> Rules();

// The rule of a method; nullptr when there is none, which means nobody may call it.
const Rule* FindRule(std::string_view method);

// Whose batches a request is about. `requested` is its owner field: empty means the caller. kNotFound for a foreign owner whom the
// caller may not see, whether or not he exists; kInvalidArgument for what is no owner's name.
base::Result<std::string> ResolveOwner(std::string_view caller, Reach reach, const std::string& requested);

}  // namespace jobd::server
