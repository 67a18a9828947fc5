// JobQueryService, all that is answered with a stream.
#include "server/api/streams.h"

#include <algorithm>
#include <optional>

#include "base/bounds.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/target.h"
#include "server/ops/metrics.h"
#include "server/rpc/stream_registry.h"
#include "worker/worker.h"

namespace jobd::server {
namespace {

constexpr size_t kAllStreamsBytes = 16u << 20;
constexpr size_t kLeastBytes = 16u << 10;

}  // namespace

size_t LogPageBytes(size_t streams) {
  return std::clamp(kAllStreamsBytes / std::max<size_t>(streams, 1), kLeastBytes, base::kMaxLogPageBytes);
}

bool LogReadsAhead(size_t streams) { return 2 * base::kMaxLogPageBytes * streams <= kAllStreamsBytes; }

namespace handlers {
namespace {

class LogSource final : public SourceOf<v1::StreamLogsResponse> {
 public:
  LogSource(const Api& api, worker::LogQuery query) : api_(api), query_(std::move(query)) {}

 private:
  Next Make(v1::StreamLogsResponse& out, base::Status& end) override {
    if (finished_) return Next::kEnd;
    const size_t streams = api_.streams.size();
    auto page = Read(streams);
    if (!page.ok()) {
      end = std::move(page).error();
      return Next::kEnd;
    }
    finished_ = page->finished;
    // The last page is sent even when it is empty of data: its cursor is where a later call goes on.
    if (page->empty() && !finished_) return Next::kWait;
    for (const worker::LogChunk& chunk : page->chunks) api_.metrics.OnStreamed(chunk.data.size());
    const bool more = page->more || !query_.follow || finished_;
    out.Clear();
    SetLogPage(*std::move(page), &out);
    if (!more) return Next::kSendAndArm;
    return LogReadsAhead(streams) ? Next::kSendAndGoOn : Next::kSend;
  }
  void Arm(std::function<void()> wake) override { session_->Arm(std::move(wake)); }

  base::Result<worker::LogPage> Read(size_t streams) {
    if (!session_) {
      JOBD_ASSIGN_OR_RETURN(session_, api_.worker.OpenLogs(query_));
    }
    return session_->Read(LogPageBytes(streams));
  }

  const Api& api_;
  const worker::LogQuery query_;
  const Metrics::Follower follower_{api_.metrics};
  bool finished_ = false;
  std::unique_ptr<worker::LogSession> session_;
};

class WatchSource final : public SourceOf<v1::WatchBatchResponse> {
 public:
  WatchSource(const Api& api, worker::BatchName batch) : api_(api), batch_(std::move(batch)) {}

 private:
  Next Make(v1::WatchBatchResponse& out, base::Status& end) override {
    if (finished_) return Next::kEnd;
    auto update = Update();
    if (!update.ok()) {
      end = std::move(update).error();
      return Next::kEnd;
    }
    if (!update->has_value()) return Next::kWait;
    finished_ = (*update)->finished;
    out.Clear();
    SetBatch((*update)->batch, out.mutable_batch());
    for (const worker::JobView& job : (*update)->jobs) SetJob(job, out.add_jobs());
    return Next::kSend;
  }
  void Arm(std::function<void()> wake) override { watch_->Arm(std::move(wake)); }

  base::Result<std::optional<worker::WatchUpdate>> Update() {
    if (!watch_) {
      JOBD_ASSIGN_OR_RETURN(watch_, api_.worker.Watch(batch_));
    }
    return watch_->Next();
  }

  const Api& api_;
  const worker::BatchName batch_;
  bool finished_ = false;
  std::unique_ptr<worker::BatchWatch> watch_;
};

// Goes through the jobs in order, a page of the store at a time, and through the log of each, a page of the log at a time. Sends
// what is there now; it does not follow.
class SearchSource final : public SourceOf<v1::SearchJobResponse> {
 public:
  SearchSource(const Api& api, worker::BatchName batch) : api_(api) { query_.batch = std::move(batch); }

 private:
  Next Make(v1::SearchJobResponse& out, base::Status& end) override {
    const auto made = MakeNext(out);
    if (made.ok() && *made) return Next::kSend;
    if (!made.ok()) end = made.error();
    return Next::kEnd;
  }
  // Never called: this source never waits.
  void Arm(std::function<void()> wake) override { wake(); }

  // False when there is no other message.
  base::Result<bool> MakeNext(v1::SearchJobResponse& out) {
    for (;;) {
      if (has_job_) {
        JOBD_ASSIGN_OR_RETURN(const bool piece, NextPiece(out));
        if (piece) return true;
      }
      JOBD_ASSIGN_OR_RETURN(const bool more, NextJob());
      if (!more) return false;
    }
  }

  // False when there are no more jobs.
  base::Result<bool> NextJob() {
    log_.reset();
    sent_ = false;
    if (has_job_) ++position_;
    while (position_ >= page_.jobs.size()) {
      if (last_page_) return false;
      JOBD_ASSIGN_OR_RETURN(page_, api_.worker.GetBatch(query_));
      query_.page_token = page_.next_page_token;
      last_page_ = page_.next_page_token.empty();
      position_ = 0;
    }
    has_job_ = true;
    return true;
  }

  // The next piece of the current job's log; false when there is none.
  base::Result<bool> NextPiece(v1::SearchJobResponse& out) {
    const worker::JobView& job = page_.jobs[position_];
    if (!log_) {
      // By the name that the store has found: the request may hold a prefix.
      worker::LogQuery query{.batch = page_.batch.name, .index = job.index};
      JOBD_ASSIGN_OR_RETURN(log_, api_.worker.OpenLogs(query));
    }
    JOBD_ASSIGN_OR_RETURN(const worker::LogPage page, log_->Read(LogPageBytes(api_.streams.size())));
    // A job without output still has a result to tell, once.
    if (page.chunks.empty() && sent_) return false;
    out.Clear();
    out.set_correlation_id(page_.batch.name.correlation_id);
    out.set_index(job.index);
    SetResult(job.outcome, out.mutable_result());
    if (job.started_at != 0) SetTime(job.started_at, out.mutable_executed_at());
    for (const worker::LogChunk& chunk : page.chunks) {
      api_.metrics.OnStreamed(chunk.data.size());
      out.mutable_log_output()->append(chunk.data);
    }
    sent_ = true;
    return true;
  }

  const Api& api_;
  worker::JobQuery query_;
  worker::JobPage page_;
  size_t position_ = 0;  // of the current job, in page_.jobs
  bool last_page_ = false;
  bool has_job_ = false;
  bool sent_ = false;  // a message of the current job
  std::unique_ptr<worker::LogSession> log_;
};

}  // namespace

Source<v1::StreamLogsResponse> StreamLogs(const Api& api, CallContext& call, const v1::StreamLogsRequest& in) {
  FieldCheck check;
  worker::LogQuery query = LogQueryOf(in, check);
  JOBD_ASSIGN_OR_RETURN(worker::Target target,
                        TargetOf(api, call, {in.owner(), in.correlation_id(), in.address(), query.index, ""}, check));
  query.batch = std::move(target.batch);
  query.index = target.index;
  // Known now, where the address has it.
  check.Require(!query.offset || query.index, "offset", "needs an index and a stream");
  JOBD_RETURN_IF_ERROR(check.Result());
  return std::unique_ptr<SourceOf<v1::StreamLogsResponse>>(std::make_unique<LogSource>(api, std::move(query)));
}

Source<v1::WatchBatchResponse> WatchBatch(const Api& api, CallContext& call, const v1::WatchBatchRequest& in) {
  FieldCheck check;
  JOBD_ASSIGN_OR_RETURN(worker::BatchName batch,
                        BatchOf(api, call, {in.owner(), in.correlation_id(), in.address(), std::nullopt, ""}, check));
  return std::unique_ptr<SourceOf<v1::WatchBatchResponse>>(std::make_unique<WatchSource>(api, std::move(batch)));
}

Source<v1::SearchJobResponse> SearchJob(const Api& api, CallContext& call, const v1::SearchJobRequest& in) {
  FieldCheck check;
  JOBD_ASSIGN_OR_RETURN(worker::BatchName batch,
                        BatchOf(api, call, {in.owner(), in.correlation_id(), in.address(), std::nullopt, ""}, check));
  return std::unique_ptr<SourceOf<v1::SearchJobResponse>>(std::make_unique<SearchSource>(api, std::move(batch)));
}

}  // namespace handlers
}  // namespace jobd::server
