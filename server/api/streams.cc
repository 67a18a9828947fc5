#include "server/api/search_stream.h"

#include "server/api/convert_reply.h"
#include "server/api/log_stream.h"
#include "server/grpc/grpc_status.h"
#include "server/ops/metrics.h"

namespace jobd::server {

base::Result<bool> SearchStream::NextJob() {
  log_.reset();
  sent_ = false;
  if (has_job_) ++position_;
  while (position_ >= page_.jobs.size()) {
    if (last_page_) return false;
    JOBD_ASSIGN_OR_RETURN(page_, backend().worker.GetBatch(query_));
    query_.page_token = page_.next_page_token;
    last_page_ = page_.next_page_token.empty();
    position_ = 0;
  }
  has_job_ = true;
  return true;
}

base::Result<bool> SearchStream::NextPiece() {
  const worker::JobView& job = page_.jobs[position_];
  if (!log_) {
    // By the name the store found: the request may have a prefix.
    worker::LogQuery query{.batch = page_.batch.name, .index = job.index};
    JOBD_ASSIGN_OR_RETURN(log_, backend().worker.OpenLogs(query));
  }
  JOBD_ASSIGN_OR_RETURN(const worker::LogPage page, log_->Read(LogPageBytes(backend().streams.size())));
  // A job without output still has a result to tell, once.
  if (page.chunks.empty() && sent_) return false;
  response().Clear();
  response().set_correlation_id(page_.batch.name.correlation_id);
  response().set_index(job.index);
  SetResult(job.outcome, response().mutable_result());
  if (job.started_at != 0) SetTime(job.started_at, response().mutable_executed_at());
  for (const worker::LogChunk& chunk : page.chunks) {
    backend().metrics.OnStreamed(chunk.data.size());
    response().mutable_log_output()->append(chunk.data);
  }
  sent_ = true;
  return true;
}

Pump::Next SearchStream::Produce(grpc::Status& end) {
  const auto fail = [&](const base::Error& error) {
    end = backend().errors.Report(error, call().method, query_.batch);
    return Next::kEnd;
  };
  for (;;) {
    if (has_job_) {
      const auto piece = NextPiece();
      if (!piece.ok()) return fail(piece.error());
      if (*piece) return Next::kSend;
    }
    const auto more = NextJob();
    if (!more.ok()) return fail(more.error());
    if (!*more) return Next::kEnd;
  }
}

}  // namespace jobd::server
