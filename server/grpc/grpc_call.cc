#include "server/grpc/grpc_call.h"

#include "server/grpc/grpc_status.h"

namespace jobd::server {

base::Status UnaryCall::Admit(const grpc::CallbackServerContext& context) {
  JOBD_ASSIGN_OR_RETURN(call_, backend_.admission.Admit(context, call_.method));
  return base::Ok();
}

base::Result<std::string> UnaryCall::OwnerOf(const std::string& requested) const {
  return ResolveOwner(caller().name(), call_.reach, requested);
}

void UnaryCall::Succeed() {
  LogEnd(backend_.log, call_, "OK");
  call_.token = {};
  Finish(grpc::Status::OK);
}

void UnaryCall::Fail(const base::Error& error) {
  const grpc::Status status = backend_.errors.Report(error, call_.method, call_.about);
  LogEnd(backend_.log, call_, base::CodeName(error.code()));
  call_.token = {};
  Finish(status);
}

}  // namespace jobd::server
