#include "worker/logs/log_start.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "worker/logs/log_search.h"

namespace jobd::worker {
namespace {

constexpr uint32_t kJobsPerPage = 256;
// Whichever attempt the row says is the latest, its end is the job's: the reader has seen all of them.
constexpr uint32_t kAnyAttempt = UINT32_MAX;

// The jobs of a batch that were started, a page at a time: those that have not ended, then the others by falling end.
class StartedJobs {
 public:
  StartedJobs(LogReader& reader, uint64_t batch) : reader_(reader), batch_(batch) {}

  base::Result<std::optional<TailJob>> Next() {
    if (page_.empty() && !all_unfinished_) JOBD_RETURN_IF_ERROR(ReadUnfinished());
    if (page_.empty() && !all_ended_) JOBD_RETURN_IF_ERROR(ReadEnded());
    if (page_.empty()) return std::optional<TailJob>();
    const TailJob job = page_.front();
    page_.pop_front();
    return std::optional<TailJob>(job);
  }

 private:
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
  std::deque<TailJob> page_;
  uint32_t last_unfinished_ = 0;
  uint32_t ended_ = 0;  // so many were read
  bool all_unfinished_ = false;
  bool all_ended_ = false;
};

base::Result<LogPosition> FindStartOfJob(const LogQuery& query, int folder) {
  const uint32_t index = *query.index;
  LogPosition position;
  if (query.offset && folder < 0) position.Of(*query.stream) = *query.offset;
  if (folder < 0) return position;
  if (query.offset) return SeekOffset(folder, index, *query.stream, *query.offset);
  if (!query.tail_lines) return position;
  bool given = false;
  const auto only_this = [&]() -> base::Result<std::optional<TailJob>> {
    return std::exchange(given, true) ? std::nullopt : std::optional(TailJob{.index = index});
  };
  JOBD_ASSIGN_OR_RETURN(const auto found, SeekLines(folder, query.stream, *query.tail_lines, only_this));
  const auto one = found.find(index);
  return one == found.end() ? position : one->second;
}

}  // namespace

std::string CursorContext(uint64_t batch, const LogQuery& query) {
  return "logs " + std::to_string(batch) + " " + (query.index ? std::to_string(*query.index) : "*") + " " +
         (query.stream ? std::to_string(static_cast<int>(*query.stream)) : "*");
}

base::Result<LogCursor> FindStart(const LogQuery& query, uint64_t batch, int folder, LogReader& reader) {
  LogCursor cursor;
  if (query.since) cursor.since = *query.since;
  if (query.index) {
    JOBD_ASSIGN_OR_RETURN(const LogPosition position, FindStartOfJob(query, folder));
    cursor.open[*query.index] = {.attempt = kAnyAttempt, .position = position};
  } else if (query.tail_lines) {
    JOBD_ASSIGN_OR_RETURN(cursor.last_start, reader.LastStart(batch));
    StartedJobs jobs(reader, batch);
    std::map<uint32_t, LogPosition> positions;
    if (folder >= 0) {
      JOBD_ASSIGN_OR_RETURN(positions, SeekLines(folder, query.stream, *query.tail_lines, [&] { return jobs.Next(); }));
    }
    for (const auto& [index, position] : positions) cursor.open[index] = {.attempt = kAnyAttempt, .position = position};
  }
  return cursor;
}

}  // namespace jobd::worker
