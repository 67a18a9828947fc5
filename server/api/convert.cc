#include "server/api/convert.h"

#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/bounds.h"
#include "base/text.h"
#include "base/units.h"
#include "jobd/v1/job_query_service.pb.h"
#include "jobd/v1/types.pb.h"

namespace jobd::server {
namespace {

constexpr int64_t kMaxUnixSeconds = 9'223'372'036;  // what nanoseconds in 64 bits can count

bool HasNul(std::string_view bytes) { return bytes.find('\0') != std::string_view::npos; }

void CheckText(const std::string& text, size_t most, const std::string& field, FieldCheck& check) {
  check.Require(text.size() <= most, field, "is longer than " + std::to_string(most) + " bytes");
  check.Require(!HasNul(text), field, "holds a NUL byte");
}

// When a name is given twice, the last value holds, at the place of the first.
std::vector<std::pair<std::string, std::string>> EnvOf(const jobd::v1::JobSpec& message, const std::string& field,
                                                       FieldCheck& check) {
  std::vector<std::pair<std::string, std::string>> env;
  std::unordered_map<std::string_view, size_t> places;
  env.reserve(static_cast<size_t>(message.env_size()));
  for (int i = 0; i < message.env_size(); ++i) {
    const auto& variable = message.env(i);
    const auto at = [&] { return field + ".env[" + std::to_string(i) + "]"; };
    if (variable.name().empty() || HasNul(variable.name()) || variable.name().find('=') != std::string::npos) {
      check.Require(false, at() + ".name", "must be neither empty nor hold '=' or a NUL byte");
      continue;
    }
    if (HasNul(variable.value())) check.Require(false, at() + ".value", "holds a NUL byte");
    const auto [place, is_new] = places.try_emplace(variable.name(), env.size());
    if (is_new) {
      env.emplace_back(variable.name(), variable.value());
    } else {
      env[place->second].second = variable.value();
    }
  }
  return env;
}

launch::JobLimits LimitsOf(const jobd::v1::Limits& message, const std::string& field, FieldCheck& check) {
  check.Require(message.cpu_millis() <= base::kMaxCpuMillis, field + ".cpu_millis",
                "is more than " + std::to_string(base::kMaxCpuMillis / 1000) + " processors");
  check.Require(message.pids() <= base::kMaxPids, field + ".pids", "is more than " + std::to_string(base::kMaxPids));
  const launch::JobLimits limits{.memory_bytes = message.memory_bytes(),
                                 .cpu_millis = message.cpu_millis(),
                                 .pids = message.pids(),
                                 .output_bytes = message.output_bytes(),
                                 .file_bytes = message.file_bytes(),
                                 .open_files = message.open_files(),
                                 .tmp_bytes = message.tmp_bytes(),
                                 .io_read_bytes_per_second = message.io_read_bytes_per_second(),
                                 .io_write_bytes_per_second = message.io_write_bytes_per_second(),
                                 .core_bytes = message.core_bytes()};
  launch::EachLimit([&](const char* name, auto limit) {
    check.Require(limits.*limit <= base::kMaxLimitBytes, field + "." + name,
                  "is more than " + (std::string_view(name) == "open_files" ? std::to_string(base::kMaxLimitBytes)
                                                                            : base::FormatSize(base::kMaxLimitBytes)));
  });
  return limits;
}

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

void FieldCheck::Require(bool holds, std::string field, std::string problem) {
  if (!holds && violations_.size() < base::kMaxViolations) violations_.push_back({std::move(field), std::move(problem)});
}

base::Status FieldCheck::Result() {
  if (violations_.empty()) return base::Ok();
  std::string message = violations_.front().field + " " + violations_.front().problem;
  return base::Error(base::Code::kInvalidArgument, std::move(message)).WithViolations(std::move(violations_));
}

base::Nanos DurationOf(const google::protobuf::Duration& duration, const std::string& field, FieldCheck& check, base::Nanos most) {
  const bool countable = duration.seconds() >= 0 && duration.seconds() <= most / base::kNanosPerSecond && duration.nanos() >= 0 &&
                         duration.nanos() < base::kNanosPerSecond;
  const base::Nanos nanos = countable ? duration.seconds() * base::kNanosPerSecond + duration.nanos() : 0;
  const bool valid = countable && nanos <= most;
  check.Require(valid, field, "must be from 0 to " + std::to_string(most / base::kNanosPerDay) + " days");
  return valid ? nanos : 0;
}

base::Nanos TimeOf(const google::protobuf::Timestamp& time, const std::string& field, FieldCheck& check) {
  const bool valid =
      time.seconds() >= 0 && time.seconds() < kMaxUnixSeconds && time.nanos() >= 0 && time.nanos() < base::kNanosPerSecond;
  check.Require(valid, field, "is no time of the years 1970 to 2262");
  return valid ? time.seconds() * base::kNanosPerSecond + time.nanos() : 0;
}

worker::JobSpec JobSpecOf(const jobd::v1::JobSpec& message, const std::string& field, FieldCheck& check) {
  worker::JobSpec spec;
  check.Require(message.argv_size() > 0, field + ".argv", "is empty");
  check.Require(message.argv_size() == 0 || !message.argv(0).empty(), field + ".argv[0]", "is empty");
  spec.argv.assign(message.argv().begin(), message.argv().end());
  for (size_t i = 0; i < spec.argv.size(); ++i) {
    if (HasNul(spec.argv[i])) check.Require(false, field + ".argv[" + std::to_string(i) + "]", "holds a NUL byte");
  }
  spec.shell = message.shell();
  CheckText(message.name(), base::kMaxNameBytes, field + ".name", check);
  spec.name = message.name();
  spec.env = EnvOf(message, field, check);
  for (const auto& variable : message.env()) {
    if (variable.ambient()) spec.ambient.push_back(variable.name());
  }
  CheckText(message.workdir(), base::kMaxPathBytes, field + ".workdir", check);
  check.Require(message.workdir().empty() || message.workdir().front() == '/', field + ".workdir",
                "must be an absolute path, which begins with '/'");
  spec.workdir = message.workdir();
  spec.stdin_data = message.stdin();
  if (message.has_timeout()) spec.timeout = DurationOf(message.timeout(), field + ".timeout", check, base::kMaxJobTime);
  if (message.has_kill_after()) spec.kill_after = DurationOf(message.kill_after(), field + ".kill_after", check, base::kMaxJobTime);
  spec.limits = LimitsOf(message.limits(), field + ".limits", check);
  CheckText(message.profile(), base::kMaxIdBytes, field + ".profile", check);
  spec.profile = message.profile();
  CheckText(message.user(), base::kMaxIdBytes, field + ".user", check);
  spec.user = message.user();
  check.Require(message.retries() <= base::kMaxRetries, field + ".retries", "is more than " + std::to_string(base::kMaxRetries));
  spec.retries = message.retries();
  return spec;
}

worker::BatchOptions BatchOptionsOf(const jobd::v1::BatchOptions& message, FieldCheck& check) {
  worker::BatchOptions options;
  if (!message.correlation_id().empty()) CheckCorrelationId(message.correlation_id(), "options.correlation_id", check);
  // It would hide what the word means: the newest batch.
  check.Require(message.correlation_id() != "last", "options.correlation_id", "is a reserved word: take another ID");
  options.correlation_id = message.correlation_id();
  CheckText(message.name(), base::kMaxNameBytes, "options.name", check);
  options.name = message.name();
  check.Require(static_cast<size_t>(message.labels_size()) <= base::kMaxLabels, "options.labels",
                "are more than " + std::to_string(base::kMaxLabels));
  for (const auto& [key, value] : message.labels()) {
    check.Require(!key.empty(), "options.labels", "hold an empty key");
    CheckText(key, base::kMaxLabelKeyBytes, "options.labels", check);
    CheckText(value, base::kMaxLabelValueBytes, "options.labels", check);
    if (check.ok()) options.labels.emplace(key, value);
  }
  options.parallel = message.parallel();
  options.fail_fast = message.fail_fast();
  switch (message.priority()) {
    case jobd::v1::PRIORITY_UNSPECIFIED:
    case jobd::v1::PRIORITY_NORMAL: options.priority = worker::Priority::kNormal; break;
    case jobd::v1::PRIORITY_LOW: options.priority = worker::Priority::kLow; break;
    case jobd::v1::PRIORITY_URGENT: options.priority = worker::Priority::kUrgent; break;
    default: check.Require(false, "options.priority", "is no priority");
  }
  options.hold = message.hold();
  return options;
}

void CheckCorrelationId(const std::string& id, const std::string& field, FieldCheck& check) {
  check.Require(base::IsSafeName(id), field, "must be of the form [A-Za-z0-9_][A-Za-z0-9._:-]{0,127}");
}

void CheckIndex(bool present, uint32_t index, const std::string& field, FieldCheck& check) {
  check.Require(!present || index > 0, field, "counts from 1");
}

worker::LogQuery LogQueryOf(const jobd::v1::StreamLogsRequest& message, FieldCheck& check) {
  using Request = jobd::v1::StreamLogsRequest;
  worker::LogQuery query;
  if (message.address().empty()) CheckCorrelationId(message.correlation_id(), "correlation_id", check);
  check.Require(message.address().empty() || message.start_case() != Request::kCursor, "address", "does not go with a cursor");
  query.batch.correlation_id = message.correlation_id();
  CheckIndex(message.has_index(), message.index(), "index", check);
  if (message.has_index()) query.index = message.index();
  switch (message.stream()) {
    case jobd::v1::LOG_STREAM_UNSPECIFIED: break;
    case jobd::v1::LOG_STREAM_STDOUT: query.stream = launch::Stream::kOut; break;
    case jobd::v1::LOG_STREAM_STDERR: query.stream = launch::Stream::kErr; break;
    default: check.Require(false, "stream", "is no stream");
  }
  switch (message.start_case()) {
    case Request::kCursor: query.cursor = message.cursor(); break;
    case Request::kTailLines: query.tail_lines = message.tail_lines(); break;
    case Request::kSince: query.since = TimeOf(message.since(), "since", check); break;
    case Request::kOffset:
      check.Require((query.index || !message.address().empty()) && query.stream, "offset", "needs an index and a stream");
      query.offset = message.offset();
      break;
    case Request::START_NOT_SET: break;
  }
  if (message.has_until()) query.until = TimeOf(message.until(), "until", check);
  query.follow = message.follow();
  check.Require(message.attempt() >= -1, "attempt", "must be an attempt from 1, -1 for the last or 0 for all");
  check.Require(message.attempt() == 0 || message.start_case() != Request::kOffset, "attempt", "does not go with an offset");
  query.attempt = message.attempt() < 0 ? worker::LogQuery::kLastAttempt : static_cast<uint32_t>(message.attempt());
  return query;
}

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

namespace {

void SetJobSettings(const worker::JobSpec& spec, uint64_t stdin_bytes, bool own, jobd::v1::JobSettings* message) {
  auto* const limits = message->mutable_limits();
  limits->set_memory_bytes(spec.limits.memory_bytes);
  limits->set_cpu_millis(spec.limits.cpu_millis);
  limits->set_pids(spec.limits.pids);
  limits->set_output_bytes(spec.limits.output_bytes);
  limits->set_file_bytes(spec.limits.file_bytes);
  limits->set_open_files(spec.limits.open_files);
  limits->set_tmp_bytes(spec.limits.tmp_bytes);
  limits->set_io_read_bytes_per_second(spec.limits.io_read_bytes_per_second);
  limits->set_io_write_bytes_per_second(spec.limits.io_write_bytes_per_second);
  limits->set_core_bytes(spec.limits.core_bytes);
  if (spec.timeout != 0) SetDuration(spec.timeout, message->mutable_timeout());
  if (spec.kill_after) SetDuration(*spec.kill_after, message->mutable_kill_after());
  message->set_profile(spec.profile);
  message->set_user(spec.user);
  message->set_workdir(spec.workdir);
  message->set_retries(spec.retries);
  for (const auto& [name, value] : spec.env) {
    auto* const variable = message->add_env();
    variable->set_name(name);
    if (own) variable->set_value(value);
  }
  message->set_env_values_hidden(!own && !spec.env.empty());
  message->set_stdin_bytes(stdin_bytes);
}

}  // namespace

void SetSettings(const worker::JobView& job, bool own, jobd::v1::JobStatus* message) {
  if (job.asked) SetJobSettings(*job.asked, job.stdin_bytes, own, message->mutable_asked());
  if (!job.in_force) return;
  SetJobSettings(*job.in_force, job.stdin_bytes, own, message->mutable_in_force());
  message->mutable_in_force()->clear_env();  // as asked
  message->mutable_in_force()->clear_env_values_hidden();
}

void SetSummary(const worker::JobSummary& job, jobd::v1::JobSummary* message) {
  message->set_name(job.name);
  for (const std::string& argument : job.argv) message->add_argv(argument);
  message->set_shell(job.shell);
  message->set_cut(job.cut);
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
  message->set_number(batch.number);
}

void SetLogPage(worker::LogPage page, jobd::v1::StreamLogsResponse* message) {
  for (worker::LogChunk& chunk : page.chunks) {
    auto* entry = message->add_chunks();
    entry->set_index(chunk.index);
    entry->set_stream(chunk.stream == launch::Stream::kOut ? jobd::v1::LOG_STREAM_STDOUT : jobd::v1::LOG_STREAM_STDERR);
    entry->set_offset(chunk.offset);
    SetTime(chunk.time, entry->mutable_time());
    entry->set_data(std::move(chunk.data));
    entry->set_dropped(chunk.dropped);
    entry->set_attempt(chunk.attempt);
  }
  for (const worker::LogEnd& end : page.ends) {
    auto* entry = message->add_ends();
    entry->set_index(end.index);
    entry->set_attempt(end.attempt);
    SetResult(end.outcome, entry->mutable_result());
    entry->set_dropped_bytes(end.dropped_bytes);
  }
  message->set_cursor(std::move(page.cursor));
}

}  // namespace jobd::server
