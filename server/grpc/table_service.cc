#include "server/grpc/table_service.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>

#include <map>

#include "server/grpc/grpc_call.h"

namespace jobd::server {
namespace {

class TableService final : public grpc::Service {
 public:
  void Add(const CallSupport& support, const Method& method, ConnectionGuard& guard) {
    using grpc::internal::RpcMethod;
    using grpc::internal::RpcServiceMethod;
    AddMethod(new RpcServiceMethod(method.path.c_str(), RpcMethod::BIDI_STREAMING, nullptr));
    MarkMethodRawCallback(count_++, new grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
                                        [&support, &method, &guard](grpc::CallbackServerContext* context) {
                                          return GrpcCall::Start(support, method, guard, context);
                                        }));
  }

 private:
  int count_ = 0;
};

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> MakeServices(const CallSupport& support, const MethodTable& methods,
                                                         ConnectionGuard& guard) {
  std::map<const google::protobuf::ServiceDescriptor*, std::unique_ptr<TableService>> by_service;
  for (const auto& [path, method] : methods.by_path()) {
    auto& service = by_service[method->descriptor->service()];
    if (!service) service = std::make_unique<TableService>();
    service->Add(support, *method, guard);
  }
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.reserve(by_service.size());
  for (auto& [descriptor, service] : by_service) services.push_back(std::move(service));
  return services;
}

}  // namespace jobd::server
