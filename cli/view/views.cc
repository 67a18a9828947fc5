#include "cli/view/views.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "base/units.h"
#include "cli/view/exit_code.h"
#include "cli/view/progress.h"
#include "cli/view/proto_time.h"
#include "cli/view/states.h"
#include "cli/view/time_text.h"

namespace jobd::cli {

namespace {

std::string When(bool there, const google::protobuf::Timestamp& time, base::Nanos now, bool wide) {
  if (!there) return "-";
  return wide ? AbsoluteTime(FromTimestamp(time)) : RelativeTime(FromTimestamp(time), now);
}

// From begin to end, or to now while there is no end.
template <typename T>
std::string Took(const T& thing, bool begun, const google::protobuf::Timestamp& begin, base::Nanos now) {
  if (!begun) return "-";
  const base::Nanos end = thing.has_ended_at() ? FromTimestamp(thing.ended_at()) : now;
  return base::FormatDuration(end - FromTimestamp(begin));
}

std::string Labels(const v1::Batch& batch) {
  std::string text;
  for (const auto& [key, value] : std::map<std::string, std::string>(batch.labels().begin(), batch.labels().end())) {
    text += (text.empty() ? "" : ",") + key + "=" + value;
  }
  return text.empty() ? "-" : text;
}

std::string Quoted(const std::string& argument) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!argument.empty() && argument.find_first_not_of(kPlain) == std::string::npos) return argument;
  std::string quoted = "'";
  for (const char c : argument) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

// Of a job that did not start, with the name of what could not be started.
std::string ReasonOf(const v1::JobStatus& job) {
  if (job.result().reason().text().empty()) return "";
  return Describe(job.result(), {job.shell() || job.argv().empty() ? "" : job.argv(0), "", false});
}

}  // namespace

Color StateColor(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_SUCCEEDED: return Color::kGreen;
    case v1::JOB_STATE_FAILED:
    case v1::JOB_STATE_TIMED_OUT:
    case v1::JOB_STATE_OOM_KILLED:
    case v1::JOB_STATE_LOST: return Color::kRed;
    case v1::JOB_STATE_CANCELLED:
    case v1::JOB_STATE_STOPPING:
    case v1::JOB_STATE_HELD: return Color::kYellow;
    case v1::JOB_STATE_STARTING:
    case v1::JOB_STATE_RUNNING: return Color::kBlue;
    default: return Color::kGray;
  }
}

std::string CommandLine(const v1::JobStatus& job) {
  if (job.shell() && job.argv_size() == 1) return job.argv(0);
  std::string text = job.shell() ? "sh -c" : "";
  for (const std::string& argument : job.argv()) {
    if (!text.empty()) text += ' ';
    text += Quoted(argument);
  }
  return text;
}

std::vector<std::string> BatchHeader(bool wide) {
  std::vector<std::string> header{"ID", "NAME", "STATE", "DONE", "FAILED", "CREATED", "TOOK"};
  if (wide) header.insert(header.end(), {"OWNER", "PRIORITY", "LABELS"});
  return header;
}

std::vector<Cell> BatchRow(const v1::Batch& batch, base::Nanos now, bool wide) {
  const BatchCounts counts = CountJobs(batch);
  std::vector<Cell> row{{batch.correlation_id()},
                        {OrDash(batch.name())},
                        {StateName(batch.state()), StateColor(batch.state())},
                        {std::to_string(counts.done) + "/" + std::to_string(counts.total), Color::kNone, true},
                        {std::to_string(counts.failed), counts.failed > 0 ? Color::kRed : Color::kNone, true},
                        {When(batch.has_created_at(), batch.created_at(), now, wide)},
                        {Took(batch, batch.has_started_at(), batch.started_at(), now), Color::kNone, true}};
  if (wide) row.insert(row.end(), {{batch.owner()}, {PriorityName(batch.priority())}, {Labels(batch)}});
  return row;
}

std::vector<std::string> JobHeader(bool wide) {
  std::vector<std::string> header{"JOB", "STATE", "REASON", "STARTED", "TOOK", "NAME", "COMMAND"};
  if (wide) header.insert(header.begin() + 5, {"ENDED", "TRY", "CPU", "MEMORY", "STDOUT", "STDERR", "DROPPED"});
  return header;
}

std::vector<Cell> JobRow(const v1::JobStatus& job, base::Nanos now, bool wide) {
  const v1::JobState state = job.result().state();
  std::vector<Cell> row{{std::to_string(job.index()), Color::kNone, true},
                        {StateName(state), StateColor(state)},
                        {OrDash(ReasonOf(job))},
                        {When(job.has_executed_at(), job.executed_at(), now, wide)},
                        {Took(job, job.has_executed_at(), job.executed_at(), now), Color::kNone, true},
                        {OrDash(job.name())},
                        {CommandLine(job)}};
  if (!wide) return row;
  const base::Nanos cpu = FromDuration(job.usage().user_cpu()) + FromDuration(job.usage().system_cpu());
  const std::vector<Cell> more{{When(job.has_ended_at(), job.ended_at(), now, wide)},
                               {std::to_string(job.attempt()), Color::kNone, true},
                               {job.has_usage() ? base::FormatDuration(cpu) : "-", Color::kNone, true},
                               {job.has_usage() ? base::FormatSize(job.usage().peak_memory_bytes()) : "-", Color::kNone, true},
                               {base::FormatSize(job.stdout_bytes()), Color::kNone, true},
                               {base::FormatSize(job.stderr_bytes()), Color::kNone, true},
                               {base::FormatSize(job.dropped_bytes()), Color::kNone, true}};
  row.insert(row.begin() + 5, more.begin(), more.end());
  return row;
}

std::string BatchSummary(const v1::Batch& batch, base::Nanos now, bool wide, bool color) {
  std::string text;
  const auto line = [&text](const char* name, const std::string& value) {
    text += std::string(name) + std::string(10 - std::min<size_t>(9, DisplayWidth(name)), ' ') + value + "\n";
  };
  const auto shown = [](const std::string& value) { return base::EscapeForTerminal(value); };
  line("Batch", shown(batch.correlation_id()) + (batch.name().empty() ? "" : "  " + shown(batch.name())));
  line("Owner", shown(batch.owner()));
  line("State", color ? Colored(StateName(batch.state()), StateColor(batch.state())) : StateName(batch.state()));
  std::string counts;
  for (const v1::StateCount& count : batch.counts()) {
    if (count.count() == 0) continue;
    const std::string entry = std::to_string(count.count()) + " " + StateName(count.state());
    counts += (counts.empty() ? "" : ", ") + (color ? Colored(entry, StateColor(count.state())) : entry);
  }
  line("Jobs", std::to_string(batch.job_count()) + (counts.empty() ? "" : ": " + counts));
  if (!batch.labels().empty()) line("Labels", shown(Labels(batch)));
  line("Created", When(batch.has_created_at(), batch.created_at(), now, wide));
  if (batch.has_started_at()) line("Took", Took(batch, true, batch.started_at(), now));
  return text;
}

}  // namespace jobd::cli
