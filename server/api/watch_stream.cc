#include "server/api/watch_stream.h"

#include "server/api/convert_reply.h"
#include "server/grpc/grpc_status.h"

namespace jobd::server {

Pump::Next WatchStream::Produce(grpc::Status& end) {
  const auto fail = [&](const base::Error& error) {
    end = backend().errors.Report(error, call().method, batch_);
    return Next::kEnd;
  };
  if (finished_) return Next::kEnd;
  if (!watch_) {
    auto watch = backend().worker.Watch(batch_);
    if (!watch.ok()) return fail(watch.error());
    watch_ = *std::move(watch);
  }
  auto update = watch_->Next();
  if (!update.ok()) return fail(update.error());
  if (!update->has_value()) return Next::kWait;
  finished_ = (*update)->finished;
  response().Clear();
  SetBatch((*update)->batch, response().mutable_batch());
  for (const worker::JobView& job : (*update)->jobs) SetJob(job, response().add_jobs());
  return Next::kSend;
}

}  // namespace jobd::server
