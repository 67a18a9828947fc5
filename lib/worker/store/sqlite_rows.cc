#include "worker/store/sqlite_rows.h"

#include <array>

#include "worker/store/spec_codec.h"

namespace jobd::worker {
namespace {

std::optional<int> OptionalInt(Statement& statement, int column) {
  if (statement.IsNull(column)) return std::nullopt;
  return static_cast<int>(statement.Int(column));
}

}  // namespace

void BindJobRow(Statement& statement, int first, const JobRow& row) {
  int at = first;
  const auto number = [&](auto value) { statement.Bind(at++, value); };
  const auto text = [&](const std::string& value) { statement.BindText(at++, value); };
  // A parameter that is not bound is NULL.
  const auto optional = [&](std::optional<int> value) {
    if (value) statement.Bind(at, *value);
    ++at;
  };
  const Outcome& outcome = row.outcome;
  number(static_cast<int>(outcome.state));
  number(row.attempt);
  number(row.retries_used);
  number(static_cast<int>(outcome.reason.code));
  text(outcome.reason.text);
  text(outcome.reason.step);
  text(outcome.reason.errno_name);
  text(outcome.reason.by);
  text(outcome.reason.detail);
  optional(outcome.exit_code);
  optional(outcome.signal);
  number(row.started_at);
  number(row.ended_at);
  number(row.usage.user_cpu);
  number(row.usage.system_cpu);
  number(row.usage.wall);
  number(row.usage.peak_memory);
  number(row.usage.read_bytes);
  number(row.usage.written_bytes);
  number(row.usage.voluntary_switches);
  number(row.usage.involuntary_switches);
  number(row.stdout_bytes);
  number(row.stderr_bytes);
  number(row.dropped_bytes);
  number(row.waits_since);
  text(row.held_by);
}

JobRow ReadJobRow(Statement& statement, int first) {
  int at = first;
  JobRow row;
  row.outcome.state = static_cast<JobState>(statement.Int(at++));
  row.attempt = statement.Uint32(at++);
  row.retries_used = statement.Uint32(at++);
  row.outcome.reason.code = static_cast<ReasonCode>(statement.Int(at++));
  row.outcome.reason.text = statement.Bytes(at++);
  row.outcome.reason.step = statement.Bytes(at++);
  row.outcome.reason.errno_name = statement.Bytes(at++);
  row.outcome.reason.by = statement.Bytes(at++);
  row.outcome.reason.detail = statement.Bytes(at++);
  row.outcome.exit_code = OptionalInt(statement, at++);
  row.outcome.signal = OptionalInt(statement, at++);
  row.started_at = statement.Int(at++);
  row.ended_at = statement.Int(at++);
  row.usage.user_cpu = statement.Int(at++);
  row.usage.system_cpu = statement.Int(at++);
  row.usage.wall = statement.Int(at++);
  row.usage.peak_memory = statement.Uint(at++);
  row.usage.read_bytes = statement.Uint(at++);
  row.usage.written_bytes = statement.Uint(at++);
  row.usage.voluntary_switches = statement.Uint(at++);
  row.usage.involuntary_switches = statement.Uint(at++);
  row.stdout_bytes = statement.Uint(at++);
  row.stderr_bytes = statement.Uint(at++);
  row.dropped_bytes = statement.Uint(at++);
  row.waits_since = statement.Int(at++);
  row.held_by = statement.Bytes(at++);
  return row;
}

std::string_view CountColumn(JobState state) {
  static constexpr std::array<std::string_view, kJobStates> kColumns = {
      "",          "queued", "held_jobs", "",          "starting",   "",    "stopping",
      "succeeded", "failed", "cancelled", "timed_out", "oom_killed", "lost"};
  const auto number = static_cast<size_t>(state);
  return number < kColumns.size() ? kColumns[number] : std::string_view();
}

base::Result<ActiveBatch> ReadBatch(Statement& statement) {
  ActiveBatch batch;
  BatchView& view = batch.view;
  int at = 0;
  view.id = statement.Uint(at++);
  view.name.owner = statement.Bytes(at++);
  view.name.correlation_id = statement.Bytes(at++);
  view.options.correlation_id = view.name.correlation_id;
  view.options.name = statement.Bytes(at++);
  JOBD_ASSIGN_OR_RETURN(view.options.labels, DecodeLabels(statement.Bytes(at++)));
  view.options.parallel = statement.Uint32(at++);
  view.options.fail_fast = statement.Int(at++) != 0;
  view.options.priority = static_cast<Priority>(statement.Int(at++));
  view.options.hold = statement.Int(at++) != 0;
  view.job_count = statement.Uint32(at++);
  for (const JobState state : kCountedStates) {
    if (const uint32_t count = statement.Uint32(at++); count > 0) view.counts[state] = count;
  }
  view.created_at = statement.Int(at++);
  view.started_at = statement.Int(at++);
  view.ended_at = statement.Int(at++);
  batch.job_rows = statement.Uint32(at++);
  batch.held = statement.Int(at++) != 0;
  batch.max_running = statement.Uint32(at++);
  view.kept_bytes = statement.Int(at++);
  view.number = statement.Uint(at++);
  batch.held_at = statement.Int(at++);
  batch.held_by = statement.Bytes(at++);
  view.state = SummaryState(view);
  return batch;
}

namespace {

// has(state): whether a job is in it.
template <typename Has>
JobState Summarize(Has has, bool begun) {
  for (const JobState state : {JobState::kScheduled, JobState::kStarting, JobState::kRunning, JobState::kStopping}) {
    if (has(state)) return JobState::kRunning;
  }
  if (has(JobState::kQueued)) return begun ? JobState::kRunning : JobState::kQueued;
  if (has(JobState::kHeld)) return JobState::kHeld;
  for (const JobState state :
       {JobState::kLost, JobState::kOomKilled, JobState::kTimedOut, JobState::kFailed, JobState::kCancelled}) {
    if (has(state)) return state;
  }
  return JobState::kSucceeded;
}

}  // namespace

JobState SummaryState(const BatchView& batch) {
  const auto has = [&](JobState state) {
    const auto found = batch.counts.find(state);
    return found != batch.counts.end() && found->second > 0;
  };
  return Summarize(has, batch.started_at != 0);
}

JobState SummaryState(const StateCounts& counts, base::Nanos started_at) {
  return Summarize([&](JobState state) { return counts[static_cast<size_t>(state)] > 0; }, started_at != 0);
}

}  // namespace jobd::worker
