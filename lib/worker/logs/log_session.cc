// The merged reader of a batch.
//
// Jobs are opened in the order in which they were started, when the merge has come to the time of their start, and closed when they
// have ended and given all: so a session holds as many jobs as ran at once, not as many as the batch has. Of these, kMaxOpenLogs
// have open files. Among the open jobs the earliest record comes next. Where a running job has nothing to give, the others are not
// kept waiting.
#include <algorithm>
#include <deque>

#include "base/bounds.h"
#include "base/files.h"
#include "worker/logs/attempts.h"
#include "worker/logs/log_cursor.h"
#include "worker/logs/log_feed.h"
#include "worker/logs/log_search.h"
#include "worker/logs/log_session_impl.h"
#include "worker/logs/log_start.h"
#include "worker/logs/open_logs.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

using launch::Stream;

constexpr uint32_t kStartsAtOnce = 256;
constexpr uint32_t kRowsAtOnce = 1000;
constexpr size_t kMaxEndsPerPage = 1000;
constexpr size_t kLargeRecord = 16 * 1024;
// Records that came this close together are given as one chunk: their time is that of the first.
constexpr base::Nanos kCoalesce = 10 * base::kNanosPerMilli;

base::Error BadField(const std::string& field, const std::string& problem) {
  return base::Error(base::Code::kInvalidArgument, field + ": " + problem).WithViolations({{field, problem}});
}

class MergedSession final : public LogSession {
 public:
  MergedSession(const LogSources& sources, const LogQuery& query, BatchView batch)
      : sources_(sources),
        query_(query),
        batch_(std::move(batch)),
        context_(CursorContext(batch_.id, query)),
        feed_(sources.changes, sources.watcher, sources.clock, batch_.id, query.follow) {}

  base::Status Begin() {
    feed_.Clear();
    JOBD_RETURN_IF_ERROR(OpenFolder());
    JOBD_ASSIGN_OR_RETURN(auto reader, sources_.store.Read<LogReader>());
    if (query_.cursor) {
      JOBD_ASSIGN_OR_RETURN(const std::string payload, sources_.signer.Verify(context_, *query_.cursor, "cursor"));
      auto cursor = DecodeCursor(payload);
      if (!cursor) return BadField("cursor", "is not one this service gave for this request");
      cursor_ = std::move(*cursor);
    } else {
      JOBD_ASSIGN_OR_RETURN(cursor_, FindStart(query_, batch_.id, folder_ ? folder_.get() : -1, *reader));
    }
    for (const auto& [index, one] : std::exchange(cursor_.open, {})) {
      JOBD_RETURN_IF_ERROR(OpenJob(*reader, index, one.attempt, one.position));
    }
    return base::Ok();
  }

  base::Result<LogPage> Read(size_t max_bytes) override {
    LogPage page;
    feed_.Clear();
    const bool time_is_up = query_.follow && query_.until && feed_.HasPassed(*query_.until);
    const size_t budget = std::clamp<size_t>(max_bytes, 1, base::kMaxLogPageBytes);
    JOBD_ASSIGN_OR_RETURN(auto reader, sources_.store.Read<LogReader>());
    JOBD_RETURN_IF_ERROR(TakeInChanges(*reader));
    size_t used = 0;
    bool drained = false;
    while (used < budget && page.ends.size() < kMaxEndsPerPage) {
      JOBD_ASSIGN_OR_RETURN(Job* const job, Earliest(*reader, page));
      drained = job == nullptr;
      if (drained) break;
      JOBD_RETURN_IF_ERROR(Give(*job, budget, used, page));
    }
    if (drained) JOBD_RETURN_IF_ERROR(Conclude(*reader, page));
    if (drained && time_is_up) page.finished = true;
    for (const auto& [index, job] : jobs_) cursor_.open[index] = {.attempt = job.attempt, .position = job.log->position()};
    page.cursor = sources_.signer.Sign(context_, EncodeCursor(cursor_));
    cursor_.open.clear();
    page.more = !drained || page.ends.size() >= kMaxEndsPerPage;
    if (page.more) feed_.Notify();
    return page;
  }

  void Arm(std::function<void()> wake) override { feed_.Arm(std::move(wake)); }

 private:
  struct Job {
    std::unique_ptr<JobLogReader> log;
    uint32_t attempt = 0;  // the latest whose start was seen
    bool dry = false;      // nothing more for now
    std::optional<JobRow> row;
    Attempts attempts;  // as of `row`
    std::unique_ptr<FileWatch> watch;
    bool is_final() const { return row && IsFinal(row->outcome.state); }
    void LookAgain() {
      dry = false;
      log->LookAgain();
    }
  };

  base::Status OpenFolder() {
    if (folder_) return base::Ok();
    auto folder = OpenBatchFolder(sources_.log_dir, batch_.name);
    if (!folder.ok()) {
      // No job has started yet.
      if (folder.error().code() == base::Code::kNotFound) return base::Ok();
      return std::move(folder).error();
    }
    folder_ = std::move(*folder);
    return feed_.WatchFolder(folder_.get());
  }

  base::Status OpenJob(LogReader& reader, uint32_t index, uint32_t attempt, LogPosition position) {
    Job job{.attempt = query_.index ? UINT32_MAX : attempt};
    JOBD_RETURN_IF_ERROR(ReadRow(reader, index, job));
    if (cursor_.since != 0 && folder_ && position == LogPosition{}) {
      if (job.is_final() && job.row->ended_at < cursor_.since && !query_.follow && !query_.index) return base::Ok();
      JOBD_ASSIGN_OR_RETURN(position, SeekTime(folder_.get(), index, cursor_.since));
    }
    const uint64_t first = FirstRecordOf(job);
    if (position.record < first) position = AtRecord(first);
    job.log = std::make_unique<JobLogReader>(index, query_.stream, position, frames_);
    if (const auto old = jobs_.find(index); old != jobs_.end()) open_.Forget(*old->second.log);
    Job& placed = jobs_[index] = std::move(job);
    return WatchJob(index, placed);
  }

  base::Status ReadRow(LogReader& reader, uint32_t index, Job& job) {
    const uint32_t known = job.row ? job.row->attempt : 0;
    JOBD_ASSIGN_OR_RETURN(job.row, reader.Row(batch_.id, index));
    if (!job.row || job.row->attempt == known) return base::Ok();
    JOBD_ASSIGN_OR_RETURN(job.attempts, Attempts::Read(reader, batch_.id, index, job.row->attempt));
    return base::Ok();
  }

  bool OneAttempt() const { return query_.attempt != LogQuery::kAllAttempts && query_.attempt != LogQuery::kLastAttempt; }
  // Of the attempts that are asked for.
  uint64_t FirstRecordOf(const Job& job) const {
    if (query_.attempt == LogQuery::kAllAttempts) return 0;
    return job.attempts.FirstRecord(OneAttempt() ? query_.attempt : job.attempts.LatestUpTo(cursor_.last_by)).value_or(0);
  }
  // The start of an attempt that is not asked for.
  base::Result<bool> IsPassedOver(LogReader& reader, const StartRow& start) {
    if (OneAttempt()) return start.attempt != query_.attempt;
    if (query_.attempt == LogQuery::kAllAttempts || start.seq > cursor_.last_by) return false;
    JOBD_ASSIGN_OR_RETURN(const auto row, reader.Row(batch_.id, start.index));
    if (!row || row->attempt == start.attempt) return false;
    JOBD_ASSIGN_OR_RETURN(const Attempts attempts, Attempts::Read(reader, batch_.id, start.index, row->attempt));
    return attempts.LatestUpTo(cursor_.last_by) != start.attempt;
  }

  base::Status WatchJob(uint32_t index, Job& job) {
    if (!query_.follow || job.watch || job.is_final() || !folder_) return base::Ok();
    JOBD_ASSIGN_OR_RETURN(job.watch, feed_.WatchIndex(folder_.get(), index));
    return base::Ok();
  }

  // What was told since the last look: new bytes, new states, new starts.
  base::Status TakeInChanges(LogReader& reader) {
    JOBD_RETURN_IF_ERROR(OpenFolder());
    const auto [states, bytes] = feed_.Take();
    const bool all = feed_.BatchChanged();
    if (first_ || !states.empty() || all) {
      JOBD_ASSIGN_OR_RETURN(batch_, reader.Batch(batch_.id));
      more_starts_ = true;
    }
    for (const uint32_t index : states) JOBD_RETURN_IF_ERROR(ReadAgain(reader, index));
    if (all) {
      for (const auto& [index, job] : jobs_) JOBD_RETURN_IF_ERROR(ReadAgain(reader, index));
    }
    for (const uint32_t index : bytes) {
      const auto job = jobs_.find(index);
      if (job == jobs_.end()) continue;
      // Between two attempts: what has come is the next one's.
      const bool waits = job->second.row && job->second.row->outcome.state < JobState::kStarting;
      if (waits) JOBD_RETURN_IF_ERROR(ReadRow(reader, index, job->second));
      job->second.LookAgain();
      JOBD_RETURN_IF_ERROR(WatchJob(index, job->second));
    }
    if (!query_.follow) {
      for (auto& [index, job] : jobs_) job.LookAgain();
    }
    first_ = false;
    return base::Ok();
  }

  base::Status ReadAgain(LogReader& reader, uint32_t index) {
    const auto job = jobs_.find(index);
    if (job == jobs_.end() || job->second.is_final()) return base::Ok();
    JOBD_RETURN_IF_ERROR(ReadRow(reader, index, job->second));
    job->second.LookAgain();
    return WatchJob(index, job->second);
  }

  // The open job with the earliest record, after opening all that were started by then and closing those that are done.
  base::Result<Job*> Earliest(LogReader& reader, LogPage& page) {
    for (;;) {
      Job* earliest = nullptr;
      for (auto one = jobs_.begin(); one != jobs_.end();) {
        JOBD_ASSIGN_OR_RETURN(const bool over, LoadOrClose(one->second, page));
        if (over) {
          open_.Forget(*one->second.log);
          one = jobs_.erase(one);
          continue;
        }
        Job& job = one->second;
        ++one;
        if (job.log->loaded() && (earliest == nullptr || job.log->head().time < earliest->log->head().time)) earliest = &job;
      }
      JOBD_ASSIGN_OR_RETURN(const bool opened, OpenStarted(reader, earliest));
      if (!opened) return earliest;
    }
  }

  // True: the job has given all it will ever give.
  base::Result<bool> LoadOrClose(Job& job, LogPage& page) {
    if (job.log->loaded() || job.dry) return false;
    bool more = false;
    if (folder_) {
      open_.Use(*job.log);
      JOBD_ASSIGN_OR_RETURN(more, job.log->Load(folder_.get()));
    }
    if (OneAttempt()) {
      const auto end = job.attempts.EndRecord(query_.attempt);
      if (end && job.log->position().record >= *end) return true;
    }
    if (more && query_.until && job.log->head().time > *query_.until) return true;
    if (more) return false;
    job.dry = true;
    // The row was read before the file: if it was final, the file is whole.
    if (!job.is_final() || job.attempt < job.row->attempt) return false;
    if (folder_ && !query_.until) {
      JOBD_ASSIGN_OR_RETURN(auto rest, job.log->Rest(folder_.get(), job.row->outcome.state == JobState::kLost));
      if (rest) {
        rest->time = job.row->ended_at;
        job.log->TakeUp(*rest);
        job.dry = false;
        return false;
      }
    }
    TellLost(job, page);
    // Of a job that never ran the end is told with the others of its kind, in Conclude.
    if (query_.follow && (query_.index || job.row->attempt > 0)) {
      page.ends.push_back({.index = job.log->index(),
                           .attempt = job.row->attempt,
                           .outcome = job.row->outcome,
                           .dropped_bytes = job.row->dropped_bytes});
    }
    return true;
  }

  // Output that was kept, of which not even the index is there any more.
  void TellLost(const Job& job, LogPage& page) const {
    if (query_.until || query_.tail_lines || job.log->position() != LogPosition{} || job.log->HasIndex()) return;
    const uint64_t out = query_.stream == Stream::kErr ? 0 : job.row->stdout_bytes;
    const uint64_t err = query_.stream == Stream::kOut ? 0 : job.row->stderr_bytes;
    if (out + err == 0) return;
    page.chunks.push_back({.index = job.log->index(),
                           .stream = out > 0 ? Stream::kOut : Stream::kErr,
                           .time = job.row->ended_at,
                           .dropped = out + err,
                           .attempt = job.row->attempt});
  }

  base::Result<bool> OpenStarted(LogReader& reader, const Job* earliest) {
    if (query_.index) return false;
    if (starts_.empty() && more_starts_) {
      JOBD_ASSIGN_OR_RETURN(const auto rows, reader.Starts(batch_.id, cursor_.last_start, kStartsAtOnce));
      more_starts_ = rows.size() == kStartsAtOnce;
      starts_.assign(rows.begin(), rows.end());
    }
    if (starts_.empty()) return false;
    const StartRow start = starts_.front();
    if (earliest != nullptr && start.seq > earliest->log->head().time) return false;
    starts_.pop_front();
    cursor_.last_start = start.seq;
    if (const auto known = jobs_.find(start.index); known != jobs_.end()) {
      known->second.attempt = std::max(known->second.attempt, start.attempt);
      JOBD_RETURN_IF_ERROR(ReadRow(reader, start.index, known->second));
      known->second.LookAgain();
      return true;
    }
    JOBD_ASSIGN_OR_RETURN(const bool passed_over, IsPassedOver(reader, start));
    if (passed_over) return true;
    JOBD_RETURN_IF_ERROR(OpenJob(reader, start.index, start.attempt, AtRecord(start.log_base)));
    return true;
  }

  // Moves what fits of the job's head into the page.
  base::Status Give(Job& job, size_t budget, size_t& used, LogPage& page) {
    JobLogReader& log = *job.log;
    const JobLogReader::Head head = log.head();
    const uint32_t attempt = job.attempts.Of(log.position().record);
    LogChunk* last = page.chunks.empty() ? nullptr : &page.chunks.back();
    const bool same = last != nullptr && last->index == log.index() && last->stream == head.stream &&
                      last->offset + last->data.size() == head.offset && head.time - last->time < kCoalesce &&
                      last->attempt == attempt;
    if (!same || (head.gap && !last->data.empty())) {
      page.chunks.push_back(
          {.index = log.index(), .stream = head.stream, .offset = head.offset, .time = head.time, .attempt = attempt});
      last = &page.chunks.back();
      used += 64;  // what a chunk weighs beside its bytes, so that many small ones make a page too
    }
    if (head.gap) {
      last->dropped += head.length;
      log.Skip();
      return base::Ok();
    }
    const size_t room = used < budget ? budget - used : 1;
    const size_t before = last->data.size();
    // Or each piece would have it copied as it grows; all of the room to one chunk only, as streams may alternate.
    const size_t most = page.chunks.size() == 1 ? room : std::min<size_t>(room, head.length);
    if (before == 0 && head.length >= kLargeRecord) last->data.reserve(most);
    // Its files may have been closed since it was loaded.
    open_.Use(log);
    JOBD_ASSIGN_OR_RETURN([[maybe_unused]] const bool loaded, log.Load(folder_.get()));
    JOBD_RETURN_IF_ERROR(log.Take(room, last->data));
    used += last->data.size() - before;
    return base::Ok();
  }

  // Nothing more to give for now: is that all there will ever be?
  base::Status Conclude(LogReader& reader, LogPage& page) {
    if (!query_.follow || (jobs_.empty() && query_.index)) {
      page.finished = true;
      return base::Ok();
    }
    if (!jobs_.empty() || batch_.ended_at == 0) return base::Ok();
    while (page.ends.size() < kMaxEndsPerPage) {
      JOBD_ASSIGN_OR_RETURN(const auto rows, reader.Rows(batch_.id, cursor_.ends_after, kRowsAtOnce));
      for (const IndexedRow& one : rows) {
        cursor_.ends_after = one.index;
        if (one.row.attempt == 0 && IsFinal(one.row.outcome.state))
          page.ends.push_back({.index = one.index, .outcome = one.row.outcome});
      }
      if (rows.size() < kRowsAtOnce) {
        page.finished = true;
        break;
      }
    }
    return base::Ok();
  }

  const LogSources sources_;
  const LogQuery query_;
  BatchView batch_;
  const std::string context_;
  LogFeed feed_;
  base::Fd folder_;
  LogCursor cursor_;
  FrameCache frames_;
  std::map<uint32_t, Job> jobs_;
  OpenLogs<JobLogReader> open_;  // of these
  std::deque<StartRow> starts_;
  bool more_starts_ = true;
  bool first_ = true;
};

base::Status CheckQuery(const LogQuery& query) {
  const int starts = (query.cursor ? 1 : 0) + (query.tail_lines ? 1 : 0) + (query.since ? 1 : 0) + (query.offset ? 1 : 0);
  if (starts > 1) return BadField("start", "give at most one of cursor, tail_lines, since and offset");
  if (query.offset && (!query.index || !query.stream)) return BadField("offset", "needs a job and a stream");
  if (query.stream && *query.stream != Stream::kOut && *query.stream != Stream::kErr) return BadField("stream", "is not a stream");
  return base::Ok();
}

}  // namespace

base::Result<std::unique_ptr<LogSession>> OpenLogSession(const LogSources& sources, const LogQuery& query) {
  JOBD_RETURN_IF_ERROR(CheckQuery(query));
  BatchView batch;
  {
    JOBD_ASSIGN_OR_RETURN(const auto reader, sources.store.Read<LogReader>());
    JOBD_ASSIGN_OR_RETURN(const uint64_t id, reader->Find(query.batch, true));
    JOBD_ASSIGN_OR_RETURN(batch, reader->Batch(id));
  }
  if (query.index && (*query.index == 0 || *query.index > batch.job_count)) {
    return base::Error(base::Code::kNotFound, "no such job");
  }
  auto session = std::make_unique<MergedSession>(sources, query, std::move(batch));
  JOBD_RETURN_IF_ERROR(session->Begin());
  return std::unique_ptr<LogSession>(std::move(session));
}

}  // namespace jobd::worker
