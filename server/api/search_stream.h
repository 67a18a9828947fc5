// SearchJob, as a call that lasts: for each job its result and its log.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobd/v1/job_query_service.pb.h"
#include "server/rpc/write_stream.h"
#include "worker/logs/log_session.h"
#include "worker/worker.h"

namespace jobd::server {

// Goes through the jobs in order, a page of the store at a time, and through the log of each, a page of the log at a time. What is
// there now is sent; it does not follow.
class SearchStream final : public WriteStream<jobd::v1::SearchJobResponse> {
 public:
  SearchStream(const Backend& backend, Call call, grpc::CallbackServerContext* context, worker::BatchName batch)
      : WriteStream(backend, std::move(call), context) {
    query_.batch = std::move(batch);
  }

 private:
  Next Produce(grpc::Status& end) override;
  // Nothing here waits.
  void Arm(std::function<void()> wake) override { wake(); }
  // False when there are no more jobs.
  base::Result<bool> NextJob();
  // The next piece of the current job's log; false when there is none.
  base::Result<bool> NextPiece();

  worker::JobQuery query_;
  worker::JobPage page_;
  size_t position_ = 0;  // of the current job, in page_.jobs
  bool last_page_ = false;
  bool has_job_ = false;
  bool sent_ = false;  // something of the current job
  std::unique_ptr<worker::LogSession> log_;
};

}  // namespace jobd::server
