// Which batch, and which job of it, a request is about: however the client named it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "server/api/api.h"
#include "server/api/convert.h"
#include "server/rpc/call_context.h"
#include "worker/model/request.h"

namespace jobd::server {

// The fields of a request that name a batch. `prefix` is where they are in it: "jobs.".
struct TargetFields {
  const std::string& owner;
  const std::string& correlation_id;
  const std::string& address;
  std::optional<uint32_t> index;
  std::string prefix;
};

// Checks them, together with what `check` has found already, and that the caller may see the owner's batches. An address is looked
// up; a correlation ID is taken as it is. The call is about that batch from then on. kInvalidArgument, kNotFound.
base::Result<worker::Target> TargetOf(const Api& api, CallContext& call, const TargetFields& fields, FieldCheck& check);
// The same of a request about a whole batch: an address that names a job is refused.
base::Result<worker::BatchName> BatchOf(const Api& api, CallContext& call, const TargetFields& fields, FieldCheck& check);

}  // namespace jobd::server
