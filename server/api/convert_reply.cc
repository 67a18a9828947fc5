#include "server/api/convert_reply.h"

#include "jobd/v1/types.pb.h"

namespace jobd::server {
namespace {

// The worker's numbers are the API's.
static_assert(static_cast<int>(worker::JobState::kQueued) == jobd::v1::JOB_STATE_QUEUED);
static_assert(static_cast<int>(worker::JobState::kLost) == jobd::v1::JOB_STATE_LOST);
static_assert(static_cast<int>(worker::kJobStates) == jobd::v1::JobState_MAX + 1);
static_assert(static_cast<int>(worker::ReasonCode::kExited) == jobd::v1::REASON_CODE_EXITED);
static_assert(static_cast<int>(worker::ReasonCode::kFileSizeLimit) == jobd::v1::ReasonCode_MAX);

jobd::v1::JobState State(worker::JobState state) { return static_cast<jobd::v1::JobState>(state); }

jobd::v1::Priority PriorityOf(worker::Priority priority) {
  switch (priority) {
    case worker::Priority::kLow: return jobd::v1::PRIORITY_LOW;
    case worker::Priority::kNormal: return jobd::v1::PRIORITY_NORMAL;
    case worker::Priority::kUrgent: return jobd::v1::PRIORITY_URGENT;
  }
  return jobd::v1::PRIORITY_UNSPECIFIED;
}

}  // namespace

void SetTime(base::Nanos time, google::protobuf::Timestamp* message) {
  message->set_seconds(time / base::kNanosPerSecond);
  message->set_nanos(static_cast<int32_t>(time % base::kNanosPerSecond));
}

void SetDuration(base::Nanos duration, google::protobuf::Duration* message) {
  message->set_seconds(duration / base::kNanosPerSecond);
  message->set_nanos(static_cast<int32_t>(duration % base::kNanosPerSecond));
}

void SetResult(const worker::Outcome& outcome, jobd::v1::JobResult* message) {
  message->set_state(State(outcome.state));
  if (outcome.exit_code) message->set_exit_code(*outcome.exit_code);
  if (outcome.signal) message->set_signal(*outcome.signal);
  if (outcome.reason == worker::Reason{}) return;
  auto* reason = message->mutable_reason();
  reason->set_code(static_cast<jobd::v1::ReasonCode>(outcome.reason.code));
  reason->set_text(outcome.reason.text);
  reason->set_step(outcome.reason.step);
  reason->set_errno_name(outcome.reason.errno_name);
  reason->set_by(outcome.reason.by);
  reason->set_detail(outcome.reason.detail);
}

void SetJob(const worker::JobView& job, jobd::v1::JobStatus* message) {
  message->set_index(job.index);
  message->set_name(job.name);
  for (const std::string& argument : job.argv) message->add_argv(argument);
  message->set_shell(job.shell);
  SetResult(job.outcome, message->mutable_result());
  message->set_attempt(job.attempt);
  if (job.started_at != 0) SetTime(job.started_at, message->mutable_executed_at());
  if (job.ended_at != 0) SetTime(job.ended_at, message->mutable_ended_at());
  if (worker::IsFinal(job.outcome.state) && job.attempt != 0) {
    auto* usage = message->mutable_usage();
    SetDuration(job.usage.user_cpu, usage->mutable_user_cpu());
    SetDuration(job.usage.system_cpu, usage->mutable_system_cpu());
    SetDuration(job.usage.wall, usage->mutable_wall());
    usage->set_peak_memory_bytes(job.usage.peak_memory);
    usage->set_read_bytes(job.usage.read_bytes);
    usage->set_written_bytes(job.usage.written_bytes);
    usage->set_voluntary_switches(job.usage.voluntary_switches);
    usage->set_involuntary_switches(job.usage.involuntary_switches);
  }
  message->set_stdout_bytes(job.stdout_bytes);
  message->set_stderr_bytes(job.stderr_bytes);
  message->set_dropped_bytes(job.dropped_bytes);
}

void SetBatch(const worker::BatchView& batch, jobd::v1::Batch* message) {
  message->set_correlation_id(batch.name.correlation_id);
  message->set_owner(batch.name.owner);
  message->set_name(batch.options.name);
  message->mutable_labels()->insert(batch.options.labels.begin(), batch.options.labels.end());
  message->set_state(State(batch.state));
  message->set_job_count(batch.job_count);
  for (const auto& [state, count] : batch.counts) {
    if (count == 0) continue;
    auto* entry = message->add_counts();
    entry->set_state(State(state));
    entry->set_count(count);
  }
  if (batch.created_at != 0) SetTime(batch.created_at, message->mutable_created_at());
  if (batch.started_at != 0) SetTime(batch.started_at, message->mutable_started_at());
  if (batch.ended_at != 0) SetTime(batch.ended_at, message->mutable_ended_at());
  message->set_parallel(batch.options.parallel);
  message->set_fail_fast(batch.options.fail_fast);
  message->set_priority(PriorityOf(batch.options.priority));
}

}  // namespace jobd::server
