#include "server/api/target.h"

#include <utility>

#include "base/bounds.h"
#include "worker/worker.h"

namespace jobd::server {
namespace {

// What a client is told of a batch that there is not: what it asked for. No more of an address than an answer may hold.
constexpr size_t kMaxAsked = 2 * base::kMaxNameBytes + 1;

}  // namespace

base::Result<worker::Target> TargetOf(const Api& api, CallContext& call, const TargetFields& fields, FieldCheck& check) {
  const bool by_address = !fields.address.empty();
  if (by_address) {
    check.Require(fields.correlation_id.empty(), fields.prefix + "address", "must not stand beside a correlation_id");
    check.Require(!fields.index, fields.prefix + "index", "belongs into the address");
    check.Require(fields.address.size() <= kMaxAsked, fields.prefix + "address", "is too long");
  } else {
    CheckCorrelationId(fields.correlation_id, fields.prefix + "correlation_id", check);
    CheckIndex(fields.index.has_value(), fields.index.value_or(0), fields.prefix + "index", check);
  }
  JOBD_RETURN_IF_ERROR(check.Result());
  // Before anything can fail: the error names it, whether there is no such batch or the caller may not see it.
  call.SetAbout({.owner = call.caller().name(), .correlation_id = by_address ? fields.address : fields.correlation_id});
  worker::Target target;
  JOBD_ASSIGN_OR_RETURN(target.batch.owner, call.OwnerOf(fields.owner));
  if (by_address) {
    JOBD_ASSIGN_OR_RETURN(target, api.worker.Resolve(target.batch.owner, fields.address));
  } else {
    target.batch.correlation_id = fields.correlation_id;
    target.index = fields.index;
  }
  call.SetAbout(target.batch);
  return target;
}

base::Result<worker::BatchName> BatchOf(const Api& api, CallContext& call, const TargetFields& fields, FieldCheck& check) {
  JOBD_ASSIGN_OR_RETURN(worker::Target target, TargetOf(api, call, fields, check));
  check.Require(!target.index, fields.prefix + "address", "names a job, and this is about a batch");
  JOBD_RETURN_IF_ERROR(check.Result());
  return std::move(target.batch);
}

}  // namespace jobd::server
