// The API's messages as JSON. These names are what scripts rely on: fields may be added, never renamed or left out. An
// absent value is null.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

using Json = nlohmann::ordered_json;

// Bytes: a string where they are UTF-8, else {"base64": "…"}. Nothing is lost, and a batch file takes the same notation.
Json BytesToJson(const std::string& bytes);
// {"code", "reason", "message", "violations": [{"field", "problem"}]}: `code` as CodeName has it, `reason` a word for what is known
// more exactly, or null. `violations` are those of the error under the names its author gave.
Json ErrorToJson(const base::Error& error, const std::vector<base::FieldViolation>& violations);
// RFC 3339 in UTC with nanoseconds.
Json TimeToJson(const google::protobuf::Timestamp& time);

// {"state", "exit_code", "signal", "reason": {"code", "text", "step", "errno", "by", "detail"}}. Of exit_code and signal at most
// one is a number.
Json ResultToJson(const v1::JobResult& result);
// {"correlation_id", "index"} and the result's fields.
Json EndToJson(const std::string& correlation_id, uint32_t index, const v1::JobResult& result);
// {"correlation_id", "index", "name", "argv", "shell"}, the result's fields, {"attempt", "executed_at", "ended_at", "usage",
// "stdout_bytes", "stderr_bytes", "dropped_bytes", "waits": [{"code", "text", "since", "by", "limit", "used", "max", "before",
// "before_at_least", "disk"}], "asked", "in_force"}. Times of usage are in seconds. The last two are null or {"profile", "user",
// "workdir", "timeout_seconds", "kill_after_seconds", "retries", "limits": {"memory_bytes", …}, "env": {NAME: VALUE},
// "stdin_bytes"}; a value that only the owner may see is null.
Json JobToJson(const std::string& correlation_id, const v1::JobStatus& job);
// {"correlation_id", "owner", "name", "labels", "state", "job_count", "counts": {"SUCCEEDED": 3}, "created_at", "started_at",
// "ended_at", "parallel", "fail_fast", "priority", "number"}.
Json BatchToJson(const v1::Batch& batch);
// The same with {"jobs": […]}.
Json BatchToJson(const v1::Batch& batch, const google::protobuf::RepeatedPtrField<v1::JobStatus>& jobs);

}  // namespace jobd::cli
