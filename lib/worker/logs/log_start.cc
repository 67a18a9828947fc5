#include "worker/logs/log_start.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>

#include "worker/logs/attempts.h"
#include "worker/logs/log_search.h"

namespace jobd::worker {
namespace {

constexpr uint32_t kJobsPerPage = 256;
// Whichever attempt the row says is the latest, its end is the job's: the reader has seen all of them.
constexpr uint32_t kAnyAttempt = UINT32_MAX;

// Narrows the job down to the attempts that are asked for. False: it has none of them.
base::Result<bool> Narrow(LogReader& reader, uint64_t batch, const LogQuery& query, int64_t last_by, TailJob& job) {
  if (query.attempt == LogQuery::kAllAttempts) return true;
  JOBD_ASSIGN_OR_RETURN(const auto row, reader.Row(batch, job.index));
  const uint32_t latest = row ? row->attempt : 0;
  JOBD_ASSIGN_OR_RETURN(const Attempts attempts, Attempts::Read(reader, batch, job.index, latest));
  const bool last = query.attempt == LogQuery::kLastAttempt;
  const auto first = attempts.FirstRecord(last ? attempts.LatestUpTo(last_by) : query.attempt);
  if (!first) return false;
  job.first = *first;
  if (!last) job.end = attempts.EndRecord(query.attempt).value_or(job.end);
  return true;
}

// The jobs of a batch that were started, a page at a time: those that have not ended, then the others by falling end.
class StartedJobs {
 public:
  StartedJobs(LogReader& reader, uint64_t batch, const LogQuery& query, int64_t last_by)
      : reader_(reader), batch_(batch), query_(query), last_by_(last_by) {}

  base::Result<std::optional<TailJob>> Next() {
    for (;;) {
      JOBD_ASSIGN_OR_RETURN(std::optional<TailJob> job, NextOfAll());
      if (!job) return job;
      JOBD_ASSIGN_OR_RETURN(const bool has_some, Narrow(reader_, batch_, query_, last_by_, *job));
      if (has_some) return job;
    }
  }

 private:
  base::Result<std::optional<TailJob>> NextOfAll() {
    if (page_.empty() && !all_unfinished_) JOBD_RETURN_IF_ERROR(ReadUnfinished());
    if (page_.empty() && !all_ended_) JOBD_RETURN_IF_ERROR(ReadEnded());
    if (page_.empty()) return std::optional<TailJob>();
    const TailJob job = page_.front();
    page_.pop_front();
    return std::optional<TailJob>(job);
  }

  base::Status ReadUnfinished() {
    JOBD_ASSIGN_OR_RETURN(const auto indexes, reader_.Unfinished(batch_, last_unfinished_, kJobsPerPage));
    all_unfinished_ = indexes.size() < kJobsPerPage;
    for (const uint32_t index : indexes) page_.push_back({.index = last_unfinished_ = index});
    return base::Ok();
  }
  base::Status ReadEnded() {
    JOBD_ASSIGN_OR_RETURN(const auto rows, reader_.LastEnded(batch_, ended_, kJobsPerPage));
    all_ended_ = rows.size() < kJobsPerPage;
    ended_ += static_cast<uint32_t>(rows.size());
    for (const IndexedRow& one : rows) {
      page_.push_back({.index = one.index, .ended_at = std::max<base::Nanos>(one.row.ended_at, 1)});
    }
    return base::Ok();
  }

  LogReader& reader_;
  const uint64_t batch_;
  const LogQuery& query_;
  const int64_t last_by_;
  std::deque<TailJob> page_;
  uint32_t last_unfinished_ = 0;
  uint32_t ended_ = 0;  // so many were read
  bool all_unfinished_ = false;
  bool all_ended_ = false;
};

base::Result<LogPosition> FindStartOfJob(const LogQuery& query, int folder, const TailJob& job) {
  const uint32_t index = *query.index;
  LogPosition position;
  if (query.offset && folder < 0) position.Of(*query.stream) = *query.offset;
  if (folder < 0) return position;
  if (query.offset) return SeekOffset(folder, index, *query.stream, *query.offset);
  // A time is looked for when the job is opened.
  if (!query.tail_lines) return query.since ? position : AtRecord(job.first);
  bool given = false;
  const auto only_this = [&]() -> base::Result<std::optional<TailJob>> {
    return std::exchange(given, true) ? std::nullopt : std::optional(job);
  };
  JOBD_ASSIGN_OR_RETURN(const auto found, SeekLines(folder, query.stream, *query.tail_lines, only_this));
  const auto one = found.find(index);
  return one == found.end() ? position : one->second;
}

base::Error NoSuchAttempt(LogReader& reader, uint64_t batch, const LogQuery& query) {
  const auto row = reader.Row(batch, *query.index);
  const uint32_t had = row.ok() && *row ? (*row)->attempt : 0;
  const std::string problem = had == 0   ? "the job has not been started yet"
                              : had == 1 ? "is not there: the job has had one attempt"
                                         : "is not there: the job has had " + std::to_string(had) + " attempts";
  return base::Error(base::Code::kInvalidArgument, "attempt: " + problem).WithViolations({{"attempt", problem}});
}

}  // namespace

std::string CursorContext(uint64_t batch, const LogQuery& query) {
  // A cursor says itself whether last attempts were asked for; one of before that was possible goes on as it began.
  const bool one = query.attempt != LogQuery::kAllAttempts && query.attempt != LogQuery::kLastAttempt;
  return "logs " + std::to_string(batch) + " " + (query.index ? std::to_string(*query.index) : "*") + " " +
         (query.stream ? std::to_string(static_cast<int>(*query.stream)) : "*") +
         (one ? " attempt " + std::to_string(query.attempt) : "");
}

base::Result<LogCursor> FindStart(const LogQuery& query, uint64_t batch, int folder, LogReader& reader) {
  LogCursor cursor;
  if (query.since) cursor.since = *query.since;
  if (query.attempt == LogQuery::kLastAttempt) {
    JOBD_ASSIGN_OR_RETURN(cursor.last_by, reader.LastStart(batch));
    cursor.last_by = std::max<int64_t>(cursor.last_by, 1);
  }
  if (query.index) {
    TailJob job{.index = *query.index};
    JOBD_ASSIGN_OR_RETURN(const bool has_some, Narrow(reader, batch, query, cursor.last_by, job));
    if (!has_some) return NoSuchAttempt(reader, batch, query);
    JOBD_ASSIGN_OR_RETURN(const LogPosition position, FindStartOfJob(query, folder, job));
    cursor.open[*query.index] = {.attempt = kAnyAttempt, .position = position};
  } else if (query.tail_lines) {
    JOBD_ASSIGN_OR_RETURN(cursor.last_start, reader.LastStart(batch));
    StartedJobs jobs(reader, batch, query, cursor.last_by);
    std::map<uint32_t, LogPosition> positions;
    if (folder >= 0) {
      JOBD_ASSIGN_OR_RETURN(positions, SeekLines(folder, query.stream, *query.tail_lines, [&] { return jobs.Next(); }));
    }
    for (const auto& [index, position] : positions) cursor.open[index] = {.attempt = kAnyAttempt, .position = position};
  }
  return cursor;
}

}  // namespace jobd::worker
