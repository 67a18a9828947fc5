#include "cli/view/json_view.h"

#include <absl/strings/escaping.h>

#include "base/text.h"
#include "cli/view/proto_time.h"
#include "cli/view/states.h"
#include "cli/view/time_text.h"

namespace jobd::cli {

namespace {

Json TextOrNull(const std::string& text) { return text.empty() ? Json(nullptr) : BytesToJson(text); }

double Seconds(const google::protobuf::Duration& duration) { return static_cast<double>(FromDuration(duration)) / 1e9; }

Json UsageToJson(const v1::Usage& usage) {
  return {{"user_cpu_seconds", Seconds(usage.user_cpu())},
          {"system_cpu_seconds", Seconds(usage.system_cpu())},
          {"wall_seconds", Seconds(usage.wall())},
          {"peak_memory_bytes", usage.peak_memory_bytes()},
          {"read_bytes", usage.read_bytes()},
          {"written_bytes", usage.written_bytes()},
          {"voluntary_switches", usage.voluntary_switches()},
          {"involuntary_switches", usage.involuntary_switches()}};
}

Json ReasonToJson(const v1::Reason& reason) {
  if (reason.code() == v1::REASON_CODE_UNSPECIFIED && reason.text().empty()) return nullptr;
  return {{"code", TextOrNull(ReasonName(reason.code()))},
          {"text", BytesToJson(reason.text())},
          {"step", TextOrNull(reason.step())},
          {"errno", TextOrNull(reason.errno_name())},
          {"by", TextOrNull(reason.by())},
          {"detail", TextOrNull(reason.detail())}};
}

Json WaitToJson(const v1::WaitReason& wait) {
  return {{"code", TextOrNull(WaitName(wait.code()))},
          {"text", BytesToJson(wait.text())},
          {"since", wait.has_since() ? TimeToJson(wait.since()) : Json(nullptr)},
          {"by", TextOrNull(wait.by())},
          {"limit", TextOrNull(wait.limit())},
          {"used", wait.used()},
          {"max", wait.max()},
          {"before", wait.before()},
          {"before_at_least", wait.before_at_least()},
          {"disk", TextOrNull(wait.disk())}};
}

// `env_of`: whose variables are shown.
Json SettingsToJson(const v1::JobSettings& settings, const v1::JobSettings& env_of) {
  const v1::Limits& limits = settings.limits();
  Json env = Json::object();
  for (const v1::EnvVar& variable : env_of.env()) {
    // A name is bytes, too; as a key of an object it has to be text.
    const std::string name = base::IsValidUtf8(variable.name()) ? variable.name() : base::EscapeForTerminal(variable.name());
    env[name] = env_of.env_values_hidden() ? Json(nullptr) : BytesToJson(variable.value());
  }
  return {{"profile", TextOrNull(settings.profile())},
          {"user", TextOrNull(settings.user())},
          {"workdir", TextOrNull(settings.workdir())},
          {"timeout_seconds", settings.has_timeout() ? Json(Seconds(settings.timeout())) : Json(nullptr)},
          {"kill_after_seconds", settings.has_kill_after() ? Json(Seconds(settings.kill_after())) : Json(nullptr)},
          {"retries", settings.retries()},
          {"limits",
           {{"memory_bytes", limits.memory_bytes()},
            {"cpu_millis", limits.cpu_millis()},
            {"pids", limits.pids()},
            {"output_bytes", limits.output_bytes()},
            {"file_bytes", limits.file_bytes()},
            {"open_files", limits.open_files()},
            {"tmp_bytes", limits.tmp_bytes()},
            {"io_read_bytes_per_second", limits.io_read_bytes_per_second()},
            {"io_write_bytes_per_second", limits.io_write_bytes_per_second()},
            {"core_bytes", limits.core_bytes()}}},
          {"env", env},
          {"stdin_bytes", settings.stdin_bytes()}};
}

}  // namespace

Json BytesToJson(const std::string& bytes) {
  if (base::IsValidUtf8(bytes)) return bytes;
  return {{"base64", absl::Base64Escape(bytes)}};
}

Json ErrorToJson(const base::Error& error, const std::vector<base::FieldViolation>& violations) {
  Json reason = nullptr;
  if (error.code() == base::Code::kAlreadyExists) reason = "CORRELATION_ID_REUSED";
  if (error.code() == base::Code::kUnavailable && error.message().find("cannot reach jobd") != std::string::npos)
    reason = "UNREACHABLE";
  Json json{{"code", std::string(base::CodeName(error.code()))},
            {"reason", reason},
            {"message", BytesToJson(error.message())},
            {"violations", Json::array()}};
  for (const auto& [field, problem] : violations) json["violations"].push_back({{"field", field}, {"problem", problem}});
  return json;
}

Json TimeToJson(const google::protobuf::Timestamp& time) { return Rfc3339(FromTimestamp(time)); }

Json ResultToJson(const v1::JobResult& result) {
  Json json{
      {"state", StateName(result.state())}, {"exit_code", nullptr}, {"signal", nullptr}, {"reason", ReasonToJson(result.reason())}};
  if (result.has_exit_code()) json["exit_code"] = result.exit_code();
  if (result.has_signal()) json["signal"] = result.signal();
  return json;
}

Json EndToJson(const std::string& correlation_id, uint32_t index, const v1::JobResult& result) {
  Json json{{"correlation_id", correlation_id}, {"index", index}};
  json.update(ResultToJson(result));
  return json;
}

Json JobToJson(const std::string& correlation_id, const v1::JobStatus& job) {
  Json json{{"correlation_id", correlation_id},
            {"index", job.index()},
            {"name", TextOrNull(job.name())},
            {"argv", Json::array()},
            {"shell", job.shell()}};
  for (const std::string& argument : job.argv()) json["argv"].push_back(BytesToJson(argument));
  json.update(ResultToJson(job.result()));
  json["attempt"] = job.attempt();
  json["executed_at"] = job.has_executed_at() ? TimeToJson(job.executed_at()) : Json(nullptr);
  json["ended_at"] = job.has_ended_at() ? TimeToJson(job.ended_at()) : Json(nullptr);
  json["usage"] = job.has_usage() ? UsageToJson(job.usage()) : Json(nullptr);
  json["stdout_bytes"] = job.stdout_bytes();
  json["stderr_bytes"] = job.stderr_bytes();
  json["dropped_bytes"] = job.dropped_bytes();
  json["waits"] = Json::array();
  for (const v1::WaitReason& wait : job.waits()) json["waits"].push_back(WaitToJson(wait));
  json["asked"] = job.has_asked() ? SettingsToJson(job.asked(), job.asked()) : Json(nullptr);
  json["in_force"] = job.has_in_force() ? SettingsToJson(job.in_force(), job.asked()) : Json(nullptr);
  return json;
}

Json BatchToJson(const v1::Batch& batch) {
  Json labels = Json::object();
  // A protobuf map has no order; output that changes between calls would be no good to diff.
  for (const auto& [key, value] : std::map<std::string, std::string>(batch.labels().begin(), batch.labels().end())) {
    labels[key] = BytesToJson(value);
  }
  Json counts = Json::object();
  for (const v1::StateCount& count : batch.counts()) {
    if (count.count() > 0) counts[StateName(count.state())] = count.count();
  }
  return {{"correlation_id", batch.correlation_id()},
          {"owner", batch.owner()},
          {"name", TextOrNull(batch.name())},
          {"labels", labels},
          {"state", StateName(batch.state())},
          {"job_count", batch.job_count()},
          {"counts", counts},
          {"created_at", batch.has_created_at() ? TimeToJson(batch.created_at()) : Json(nullptr)},
          {"started_at", batch.has_started_at() ? TimeToJson(batch.started_at()) : Json(nullptr)},
          {"ended_at", batch.has_ended_at() ? TimeToJson(batch.ended_at()) : Json(nullptr)},
          {"parallel", batch.parallel()},
          {"fail_fast", batch.fail_fast()},
          {"priority", PriorityName(batch.priority())},
          {"number", batch.number() == 0 ? Json(nullptr) : Json(batch.number())}};
}

Json BatchToJson(const v1::Batch& batch, const google::protobuf::RepeatedPtrField<v1::JobStatus>& jobs) {
  Json json = BatchToJson(batch);
  json["jobs"] = Json::array();
  for (const v1::JobStatus& job : jobs) json["jobs"].push_back(JobToJson(batch.correlation_id(), job));
  return json;
}

}  // namespace jobd::cli
