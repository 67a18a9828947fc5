// A call with one request and one answer.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <grpcpp/support/server_callback.h>

#include "server/api/api.h"
#include "server/auth/call_admission.h"
#include "worker/model/model.h"

namespace jobd::server {

// Deletes itself when gRPC is done with it; a handler, or the callback it gave away, ends it by exactly one of Succeed and Fail, on
// any thread, and touches nothing of the call after that. A client that goes away changes nothing: what was asked for is done.
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  UnaryCall(const Backend& backend, std::string_view method) : backend_(backend) { call_.method = method; }

  // First of all.
  base::Status Admit(const grpc::CallbackServerContext& context);

  const Caller& caller() const { return call_.caller; }
  // See ResolveOwner.
  base::Result<std::string> OwnerOf(const std::string& requested) const;
  // The batch it is about, for the log.
  void About(const worker::BatchName& batch) { call_.about = batch; }
  // Whether this call reaches other people's batches.
  bool reaches_all() const { return call_.reach == Reach::kAll; }

  void Succeed();
  void Fail(const base::Error& error);

 private:
  void OnDone() override { delete this; }

  const Backend& backend_;
  Call call_;
};

// Runs `handler(UnaryCall&)` if the caller may call `method`, else refuses.
template <typename Handler>
grpc::ServerUnaryReactor* ServeUnary(const Backend& backend, const grpc::CallbackServerContext& context, std::string_view method,
                                     Handler handler) {
  auto* call = new UnaryCall(backend, method);
  if (const base::Status admitted = call->Admit(context); admitted.ok()) {
    handler(*call);
  } else {
    call->Fail(admitted.error());
  }
  return call;
}

}  // namespace jobd::server
