// JobScheduleService of the API: translates, and asks the worker.
#pragma once

#include "jobd/v1/job_schedule_service.grpc.pb.h"
#include "server/api/api.h"

namespace jobd::server {

class ScheduleService final
    : public jobd::v1::JobScheduleService::WithRawCallbackMethod_SubmitBatch<jobd::v1::JobScheduleService::CallbackService> {
 public:
  explicit ScheduleService(const Backend& backend) : backend_(backend) {}

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;
  Unary* ExecuteJob(Context* context, const jobd::v1::ExecuteJobRequest* request, jobd::v1::ExecuteJobResponse* response) override;
  grpc::ServerReadReactor<grpc::ByteBuffer>* SubmitBatch(Context* context, grpc::ByteBuffer* response) override;
  Unary* Cancel(Context* context, const jobd::v1::CancelRequest* request, jobd::v1::CancelResponse* response) override;
  Unary* Signal(Context* context, const jobd::v1::SignalRequest* request, jobd::v1::SignalResponse* response) override;
  Unary* Retry(Context* context, const jobd::v1::RetryRequest* request, jobd::v1::RetryResponse* response) override;
  Unary* Hold(Context* context, const jobd::v1::HoldRequest* request, jobd::v1::HoldResponse* response) override;
  Unary* Release(Context* context, const jobd::v1::ReleaseRequest* request, jobd::v1::ReleaseResponse* response) override;
  Unary* RemoveBatch(Context* context, const jobd::v1::RemoveBatchRequest* request,
                     jobd::v1::RemoveBatchResponse* response) override;
  Unary* PruneBatches(Context* context, const jobd::v1::PruneBatchesRequest* request,
                      jobd::v1::PruneBatchesResponse* response) override;

 private:
  const Backend& backend_;
};

}  // namespace jobd::server
