// JobQueryService of the API: translates, and asks the worker.
#pragma once

#include "jobd/v1/job_query_service.grpc.pb.h"
#include "server/api/api.h"

namespace jobd::server {

// The output of jobs goes out as the bytes it was read as: see log_message.h.
using QueryServiceBase = jobd::v1::JobQueryService::WithRawCallbackMethod_StreamLogs<jobd::v1::JobQueryService::CallbackService>;

class QueryService final : public QueryServiceBase {
 public:
  explicit QueryService(const Backend& backend) : backend_(backend) {}

  using Context = grpc::CallbackServerContext;
  grpc::ServerUnaryReactor* GetBatch(Context* context, const jobd::v1::GetBatchRequest* request,
                                     jobd::v1::GetBatchResponse* response) override;
  grpc::ServerUnaryReactor* ListBatches(Context* context, const jobd::v1::ListBatchesRequest* request,
                                        jobd::v1::ListBatchesResponse* response) override;
  grpc::ServerWriteReactor<jobd::v1::SearchJobResponse>* SearchJob(Context* context,
                                                                   const jobd::v1::SearchJobRequest* request) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* StreamLogs(Context* context, const grpc::ByteBuffer* request) override;
  grpc::ServerWriteReactor<jobd::v1::WatchBatchResponse>* WatchBatch(Context* context,
                                                                     const jobd::v1::WatchBatchRequest* request) override;

 private:
  const Backend& backend_;
};

}  // namespace jobd::server
