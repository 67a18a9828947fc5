// Between the API's messages and the worker's values. Total in both directions: whatever a client sends gives a value, or
// kInvalidArgument with violations that name the fields as the API does. The worker judges what a value means for the service
// (quotas, profiles, sizes of a command line).
#pragma once

#include <string>
#include <vector>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/result.h"
#include "worker/model/model.h"
#include "worker/worker.h"

namespace google::protobuf {
class Duration;
class Timestamp;
}  // namespace google::protobuf

namespace jobd::v1 {
class Batch;
class BatchOptions;
class JobResult;
class JobSpec;
class JobStatus;
class JobSummary;
class StreamLogsRequest;
class StreamLogsResponse;
}  // namespace jobd::v1

namespace jobd::server {

// ---- requests ----

// Collects what is wrong with a request.
class FieldCheck {
 public:
  void Require(bool holds, std::string field, std::string problem);
  bool ok() const { return violations_.empty(); }
  // Ok, or kInvalidArgument with all violations.
  base::Status Result();

 private:
  std::vector<base::FieldViolation> violations_;
};

// 0 .. most.
base::Nanos DurationOf(const google::protobuf::Duration& duration, const std::string& field, FieldCheck& check,
                       base::Nanos most = base::kMaxDuration);
// 1970 .. 2262.
base::Nanos TimeOf(const google::protobuf::Timestamp& time, const std::string& field, FieldCheck& check);

// `field` is the message's path in the request: "job", "jobs[3]".
worker::JobSpec JobSpecOf(const jobd::v1::JobSpec& message, const std::string& field, FieldCheck& check);
worker::BatchOptions BatchOptionsOf(const jobd::v1::BatchOptions& message, FieldCheck& check);

// A full correlation ID, not a prefix.
void CheckCorrelationId(const std::string& id, const std::string& field, FieldCheck& check);
// Absent or from 1.
void CheckIndex(bool present, uint32_t index, const std::string& field, FieldCheck& check);

// `numbers` are values of the enum JobState.
template <typename Numbers>
std::vector<worker::JobState> StatesOf(const Numbers& numbers, FieldCheck& check) {
  std::vector<worker::JobState> states;
  for (const int number : numbers) {
    const bool known = number > 0 && number < static_cast<int>(worker::kJobStates);
    check.Require(known, "states", "holds a state that does not exist");
    if (known) states.push_back(static_cast<worker::JobState>(number));
  }
  return states;
}

// Everything but which batch and job, but for their check where they are given apart from an address.
worker::LogQuery LogQueryOf(const jobd::v1::StreamLogsRequest& message, FieldCheck& check);

// ---- answers ----

void SetTime(base::Nanos time, google::protobuf::Timestamp* message);
void SetDuration(base::Nanos duration, google::protobuf::Duration* message);

void SetResult(const worker::Outcome& outcome, jobd::v1::JobResult* message);
void SetJob(const worker::JobView& job, jobd::v1::JobStatus* message);
// What was asked for and what is in force, where the view has it. Values of variables only with `own`.
void SetSettings(const worker::JobView& job, bool own, jobd::v1::JobStatus* message);
void SetSummary(const worker::JobSummary& job, jobd::v1::JobSummary* message);
void SetBatch(const worker::BatchView& batch, jobd::v1::Batch* message);
// Moves the data of the page instead of copying it.
void SetLogPage(worker::LogPage page, jobd::v1::StreamLogsResponse* message);

}  // namespace jobd::server
