// WatchBatch, as a call that lasts.
#pragma once

#include <memory>

#include "jobd/v1/job_query_service.pb.h"
#include "server/rpc/write_stream.h"
#include "worker/worker.h"

namespace jobd::server {

class WatchStream final : public WriteStream<jobd::v1::WatchBatchResponse> {
 public:
  WatchStream(const Backend& backend, Call call, grpc::CallbackServerContext* context, worker::BatchName batch)
      : WriteStream(backend, std::move(call), context), batch_(std::move(batch)) {}

 private:
  Next Produce(grpc::Status& end) override;
  void Arm(std::function<void()> wake) override { watch_->Arm(std::move(wake)); }

  const worker::BatchName batch_;
  bool finished_ = false;
  std::unique_ptr<worker::BatchWatch> watch_;
};

}  // namespace jobd::server
