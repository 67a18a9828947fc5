// From the worker's values to the API's messages. Total.
#pragma once

#include "base/clock.h"
#include "worker/model/model.h"
#include "worker/worker.h"

namespace google::protobuf {
class Duration;
class Timestamp;
}  // namespace google::protobuf

namespace jobd::v1 {
class Batch;
class JobResult;
class JobStatus;
}  // namespace jobd::v1

namespace jobd::server {

void SetTime(base::Nanos time, google::protobuf::Timestamp* message);
void SetDuration(base::Nanos duration, google::protobuf::Duration* message);

void SetResult(const worker::Outcome& outcome, jobd::v1::JobResult* message);
void SetJob(const worker::JobView& job, jobd::v1::JobStatus* message);
void SetBatch(const worker::BatchView& batch, jobd::v1::Batch* message);

}  // namespace jobd::server
