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

// Enough of a UUID to tell it from others: as the beginning of an ID it is an address. Empty for other IDs.
std::string BriefId(const std::string& id) {
  constexpr size_t kUuid = 36;
  constexpr size_t kMilliseconds = 13;  // of its time
  const bool uuid = id.size() == kUuid && id.find_first_not_of("0123456789abcdef-") == std::string::npos && id[8] == '-';
  return uuid ? id.substr(0, kMilliseconds) : "";
}

// "3h" for what RelativeTime calls "3h ago".
std::string Age(const v1::Batch& batch, base::Nanos now) {
  if (!batch.has_created_at()) return "-";
  std::string text = RelativeTime(FromTimestamp(batch.created_at()), now);
  const size_t ago = text.find(" ago");
  return ago == std::string::npos ? "0s" : text.substr(0, ago);
}

// Of a script the first line.
std::string FirstLine(const std::string& command) {
  const size_t newline = command.find('\n');
  return newline == std::string::npos ? command : command.substr(0, newline) + "…";
}

// What a batch without a name is known by.
std::string JobsInWords(const v1::Batch& batch) {
  const std::string command = batch.has_first_job() ? FirstLine(CommandLine(batch.first_job())) : "";
  if (batch.job_count() == 1) return OrDash(command);
  return std::to_string(batch.job_count()) + " jobs" +
         (command.empty() ? "" : ": " + command + (command.ends_with("…") ? "" : "…"));
}

// Why it waits, or how it ended; of a job that was retried, with the attempt.
std::string ReasonOf(const v1::JobStatus& job) {
  if (job.waits_size() > 0) return job.waits(0).text();
  std::string text;
  if (!job.result().reason().text().empty()) text = Describe(job.result());
  const auto add = [&text](const std::string& more) { text += (text.empty() ? "" : ", ") + more; };
  if (job.attempt() > 1) add("attempt " + std::to_string(job.attempt()));
  if (job.dropped_bytes() > 0) add(base::FormatSize(job.dropped_bytes()) + " of output dropped");
  return text;
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

std::string CommandLine(const v1::JobSummary& job) {
  v1::JobStatus same;
  *same.mutable_argv() = job.argv();
  same.set_shell(job.shell());
  return CommandLine(same) + (job.cut() ? "…" : "");
}

std::vector<std::string> BatchHeader(bool wide, bool owners) {
  std::vector<std::string> header{"NO", "ID", "STATE", "DONE", "FAILED", wide ? "CREATED" : "AGE", "TOOK"};
  if (wide) header.insert(header.end(), {"PRIORITY", "LABELS"});
  if (owners) header.insert(header.begin() + 2, "OWNER");
  header.emplace_back("NAME OR COMMAND");
  return header;
}

std::vector<Cell> BatchRow(const v1::Batch& batch, base::Nanos now, bool wide, bool owners) {
  const BatchCounts counts = CountJobs(batch);
  std::vector<Cell> row{{batch.number() == 0 ? "-" : std::to_string(batch.number()), Color::kNone, true},
                        {batch.correlation_id(), Color::kNone, false, BriefId(batch.correlation_id())},
                        {StateName(batch.state()), StateColor(batch.state())},
                        {std::to_string(counts.done) + "/" + std::to_string(counts.total), Color::kNone, true},
                        {std::to_string(counts.failed), counts.failed > 0 ? Color::kRed : Color::kNone, true},
                        {wide ? When(batch.has_created_at(), batch.created_at(), now, true) : Age(batch, now), Color::kNone, !wide},
                        {Took(batch, batch.has_started_at(), batch.started_at(), now), Color::kNone, true}};
  if (wide) row.insert(row.end(), {{PriorityName(batch.priority())}, {Labels(batch)}});
  if (owners) row.insert(row.begin() + 2, {batch.owner()});
  row.push_back({batch.name().empty() ? JobsInWords(batch) : batch.name()});
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
                        {FirstLine(CommandLine(job))}};
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

namespace {

std::string State(const v1::Batch& batch, bool color) {
  return color ? Colored(StateName(batch.state()), StateColor(batch.state())) : StateName(batch.state());
}

// "3 FAILED, 197 SUCCEEDED"
std::string Counts(const v1::Batch& batch, bool color) {
  std::string counts;
  for (const v1::StateCount& count : batch.counts()) {
    if (count.count() == 0) continue;
    const std::string entry = std::to_string(count.count()) + " " + StateName(count.state());
    counts += (counts.empty() ? "" : ", ") + (color ? Colored(entry, StateColor(count.state())) : entry);
  }
  return counts;
}

}  // namespace

std::string BatchInALine(const v1::Batch& batch, bool color) {
  const std::string counts = Counts(batch, color);
  return base::EscapeForTerminal(batch.correlation_id()) + " " + State(batch, color) + ", " + std::to_string(batch.job_count()) +
         (batch.job_count() == 1 ? " job" : " jobs") + (counts.empty() ? "" : ": " + counts);
}

std::string BatchSummary(const v1::Batch& batch, base::Nanos now, bool wide, bool color) {
  std::string text;
  const auto line = [&text](const char* name, const std::string& value) {
    text += std::string(name) + std::string(10 - std::min<size_t>(9, DisplayWidth(name)), ' ') + value + "\n";
  };
  const auto shown = [](const std::string& value) { return base::EscapeForTerminal(value); };
  line("Batch", shown(batch.correlation_id()));
  if (!batch.name().empty()) line("Name", shown(batch.name()));
  if (batch.number() != 0) line("Number", std::to_string(batch.number()));
  line("Owner", shown(batch.owner()));
  line("State", State(batch, color));
  const std::string counts = Counts(batch, color);
  line("Jobs", std::to_string(batch.job_count()) + (counts.empty() ? "" : ": " + counts));
  if (!batch.labels().empty()) line("Labels", shown(Labels(batch)));
  line("Created", When(batch.has_created_at(), batch.created_at(), now, wide));
  if (batch.has_started_at()) line("Took", Took(batch, true, batch.started_at(), now));
  return text;
}

std::string Explanation(const v1::JobStatus& job, base::Nanos now) { return Explanation(job, now, ""); }

std::string Explanation(const v1::JobStatus& job, base::Nanos now, const std::string& who) {
  const v1::JobState state = job.result().state();
  const std::string own_name =
      "job " + std::to_string(job.index()) + (job.name().empty() ? "" : " (" + base::EscapeForTerminal(job.name()) + ")");
  const std::string& name = who.empty() ? own_name : who;
  const std::string attempt = who.empty() && job.attempt() > 1 ? ", attempt " + std::to_string(job.attempt()) : "";
  if (IsFinal(state)) {
    if (state == v1::JOB_STATE_SUCCEEDED) return name + " succeeded" + attempt + "\n";
    return name + " " + Ending(job.result(), job.attempt() == 0 && state == v1::JOB_STATE_CANCELLED) + attempt + "\n";
  }
  if (state != v1::JOB_STATE_QUEUED && state != v1::JOB_STATE_HELD && job.waits().empty()) {
    const std::string since = job.has_executed_at() ? ", started " + RelativeTime(FromTimestamp(job.executed_at()), now) : "";
    return name + " is " + StateName(state) + since + "\n";
  }
  const std::string before = job.attempt() == 0 || !who.empty() ? "" : " for attempt " + std::to_string(job.attempt() + 1);
  std::string text = name + (who.empty() ? " waits" : " wait") + before + ": ";
  if (job.waits().empty()) return text + "it is about to start\n";
  for (const v1::WaitReason& wait : job.waits()) {
    const std::string said = base::EscapeForTerminal(wait.text().empty() ? WaitName(wait.code()) : wait.text());
    // Of the others it would be since when the job waits.
    const bool tells_when = wait.has_since() && (wait.code() == v1::WAIT_CODE_HELD ||
                                                 wait.code() == v1::WAIT_CODE_SERVICE_STOPPED || wait.code() == v1::WAIT_CODE_DISK);
    const std::string since = tells_when ? ", since " + RelativeTime(FromTimestamp(wait.since()), now) : "";
    text += (text.ends_with('\n') ? "  and: " : "") + said + since + "\n";
  }
  return text;
}

}  // namespace jobd::cli
