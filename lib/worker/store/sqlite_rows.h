// How batches and jobs are spelled in SQL: the column lists, and the way to and from values. Used by both sides of the store.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/result.h"
#include "worker/model/job_row.h"
#include "worker/store/readers.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {

// The columns of a job's row behind batch and idx, in the order of BindJobRow and ReadJobRow.
inline constexpr std::string_view kJobColumns =
    "state, attempt, retries_used, reason, reason_text, step, errno_name, by, detail, exit_code, signal, started_at, ended_at, "
    "user_cpu, system_cpu, wall, peak_memory, read_bytes, written_bytes, voluntary, involuntary, stdout_bytes, stderr_bytes, "
    "dropped_bytes, waits_since, held_by";
inline constexpr int kJobColumnCount = 26;

// Binds from parameter `first` on. `row` is borrowed until the statement is reset.
void BindJobRow(Statement& statement, int first, const JobRow& row);
JobRow ReadJobRow(Statement& statement, int first);

inline constexpr std::string_view kBatchColumns =
    "id, owner, correlation_id, name, labels, parallel, fail_fast, priority, hold, job_count, queued, held_jobs, starting, "
    "stopping, "
    "succeeded, failed, cancelled, timed_out, oom_killed, lost, created_at, started_at, ended_at, job_rows, held, max_running, "
    "kept_bytes, number, held_at, held_by";
base::Result<ActiveBatch> ReadBatch(Statement& statement);

// The column of `batches` that counts jobs in this state; empty for those that are only in memory.
std::string_view CountColumn(JobState state);

// The states whose jobs a batch's row counts, in the order of its columns.
inline constexpr std::array kCountedStates = {JobState::kQueued,    JobState::kHeld,   JobState::kStarting,  JobState::kStopping,
                                              JobState::kSucceeded, JobState::kFailed, JobState::kCancelled, JobState::kTimedOut,
                                              JobState::kOomKilled, JobState::kLost};
// How many jobs are in each state, by the state's number.
using StateCounts = std::array<int64_t, kJobStates>;

// As described at BatchView::state.
JobState SummaryState(const BatchView& batch);
JobState SummaryState(const StateCounts& counts, base::Nanos started_at);

}  // namespace jobd::worker
