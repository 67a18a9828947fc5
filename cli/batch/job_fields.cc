#include "cli/batch/job_fields.h"

#include <array>
#include <charconv>

#include "base/bounds.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/view/proto_time.h"
#include "cli/view/states.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

namespace {

using base::Code;
using base::Error;
using base::Result;

Error Bad(const std::string& message) { return {Code::kInvalidArgument, message}; }

template <typename T>
Result<FieldValue> Number(Result<T> number) {
  if (!number.ok()) return std::move(number).error();
  return FieldValue{static_cast<uint64_t>(*number), ""};
}

// jobd reads 0 as "the default", so a person who means 0 by it cannot ask for it.
Result<FieldValue> Positive(Result<FieldValue> value) {
  if (value.ok() && value->number == 0) return Bad("must be more than 0");
  return value;
}

// "last" in place of an ID means the newest batch, so a batch of that name could not be named.
Result<FieldValue> Id(const std::string& text) {
  if (text == "last" || text.starts_with("last~")) {
    return Bad("'" + base::EscapeForTerminal(text) + "' is no ID: jobctl takes it for a batch by its age; choose another");
  }
  if (!base::IsSafeName(text)) {
    return Bad("'" + base::EscapeForTerminal(text) +
               "' is no ID: letters, digits and . _ : - (the first a letter, a digit or _), at most " +
               std::to_string(base::kMaxIdBytes) + " characters");
  }
  return FieldValue{0, text};
}
Result<FieldValue> Text(const std::string& text) { return FieldValue{0, text}; }
Result<FieldValue> Size(const std::string& text) { return Positive(Number(base::ParseSize(text))); }
Result<FieldValue> Cpus(const std::string& text) { return Positive(Number(base::ParseCpus(text))); }
Result<FieldValue> Time(const std::string& text) { return Positive(Number(base::ParseDuration(text))); }
Result<FieldValue> TimeOrZero(const std::string& text) { return Number(base::ParseDuration(text)); }
Result<FieldValue> PriorityWord(const std::string& text) { return Number(ParsePriority(text)); }

Result<FieldValue> CountOrZero(const std::string& text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return Bad("'" + text + "' is not a number (0 to 4294967295)");
  return FieldValue{value, ""};
}
Result<FieldValue> Count(const std::string& text) { return Positive(CountOrZero(text)); }

Result<FieldValue> Truth(const std::string& text) {
  if (text == "true" || text == "yes" || text == "on") return FieldValue{1, ""};
  if (text == "false" || text == "no" || text == "off") return FieldValue{0, ""};
  return Bad("'" + text + "' is neither true nor false");
}

template <typename Message, typename T>
void Assign(Message& message, void (Message::*set)(T), uint64_t number) {
  (message.*set)(static_cast<T>(number));
}
template <auto Set>
void Limit(const FieldValue& value, v1::JobSpec& job) {
  Assign(*job.mutable_limits(), Set, value.number);
}
template <auto Set>
void Plain(const FieldValue& value, v1::BatchOptions& batch) {
  Assign(batch, Set, value.number);
}

using Job = v1::JobSpec;
using Batch = v1::BatchOptions;
using Limits = v1::Limits;
using Value = FieldValue;

constexpr std::array kJobFields{
    JobField{"name", "NAME", nullptr, Text, [](const Value& v, Job& job) { job.set_name(v.text); }},
    JobField{"workdir", "DIR", "Where the job runs: an absolute path on the machine that runs it", Text,
             [](const Value& v, Job& job) { job.set_workdir(v.text); }},
    JobField{"timeout", "TIME", "Send TERM after this long: 90, 10m, 1h30m", Time,
             [](const Value& v, Job& job) { *job.mutable_timeout() = ToDuration(static_cast<base::Nanos>(v.number)); }},
    JobField{"kill_after", "TIME", "Send KILL this long after TERM", TimeOrZero,
             [](const Value& v, Job& job) { *job.mutable_kill_after() = ToDuration(static_cast<base::Nanos>(v.number)); }},
    JobField{"memory", "SIZE", "Memory the job may use: 512M, 2G", Size, Limit<&Limits::set_memory_bytes>},
    JobField{"cpus", "N", "Processors the job may use: 1.5", Cpus, Limit<&Limits::set_cpu_millis>},
    JobField{"pids", "N", "Processes and threads the job may have", Count, Limit<&Limits::set_pids>},
    JobField{"output", "SIZE", "Output to keep, of both streams together; what is beyond is dropped and counted", Size,
             Limit<&Limits::set_output_bytes>},
    JobField{"file_size", "SIZE", "Size of each file the job may write", Size, Limit<&Limits::set_file_bytes>},
    JobField{"open_files", "N", "Files each of its processes may have open", Count, Limit<&Limits::set_open_files>},
    JobField{"tmp_size", "SIZE", "Disk space of its private /tmp", Size, Limit<&Limits::set_tmp_bytes>},
    JobField{"io_read", "SIZE", "Bytes a second it may read from each disk: 20M", Size,
             Limit<&Limits::set_io_read_bytes_per_second>},
    JobField{"io_write", "SIZE", "Bytes a second it may write to each disk", Size, Limit<&Limits::set_io_write_bytes_per_second>},
    JobField{"core", "SIZE", "Let a process that crashes leave a core file of at most this size; default: none", Size,
             Limit<&Limits::set_core_bytes>},
    JobField{"profile", "NAME", "Isolation profile", Text, [](const Value& v, Job& job) { job.set_profile(v.text); }},
    JobField{"user", "NAME", "Account the job runs as", Text, [](const Value& v, Job& job) { job.set_user(v.text); }},
    JobField{"retries", "N", "How often a job that failed or timed out is started again", CountOrZero,
             [](const Value& v, Job& job) { job.set_retries(static_cast<uint32_t>(v.number)); }},
};

constexpr std::array kBatchFields{
    BatchField{"id", "ID", "Correlation ID; default: a new UUIDv7. The same ID with the same content is the same batch", Id,
               [](const Value& v, Batch& batch) { batch.set_correlation_id(v.text); }},
    BatchField{"name", "NAME", "Name of the batch", Text, [](const Value& v, Batch& batch) { batch.set_name(v.text); }},
    BatchField{"priority", "urgent|normal|low", "Which waiting jobs go first", PriorityWord,
               [](const Value& v, Batch& batch) { batch.set_priority(static_cast<v1::Priority>(v.number)); }},
    BatchField{"parallel", "N", "How many jobs of the batch may run at once", Count, Plain<&Batch::set_parallel>},
    BatchField{"fail_fast", nullptr, "The first job that does not succeed cancels the rest", Truth, Plain<&Batch::set_fail_fast>},
    BatchField{"hold", nullptr, "Start nothing until `jobctl release`", Truth, Plain<&Batch::set_hold>},
};

}  // namespace

std::span<const JobField> JobFields() { return kJobFields; }
std::span<const BatchField> BatchFields() { return kBatchFields; }

std::string OptionName(std::string_view key) {
  std::string name = "--" + std::string(key);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

}  // namespace jobd::cli
