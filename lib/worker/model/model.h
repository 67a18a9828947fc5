// The nouns of the worker: batches, jobs, their states and outcomes, as plain values. The API's messages mirror them; the server
// translates.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "launch/contract/launch_request.h"

namespace jobd::worker {

// In the order of the API's JobState, and stored as these numbers.
enum class JobState : uint8_t {
  kQueued = 1,
  kHeld = 2,
  kScheduled = 3,
  kStarting = 4,
  kRunning = 5,
  kStopping = 6,
  kSucceeded = 7,
  kFailed = 8,
  kCancelled = 9,
  kTimedOut = 10,
  kOomKilled = 11,
  kLost = 12,
};
inline constexpr size_t kJobStates = 13;  // one past the last

constexpr bool IsFinal(JobState state) { return state >= JobState::kSucceeded; }
// "SUCCEEDED", …
std::string_view StateName(JobState state);

// In the order of the API's ReasonCode, and stored as these numbers.
enum class ReasonCode : uint8_t {
  kNone = 0,
  kExited = 1,
  kSignaled = 2,
  kTimeout = 3,
  kMemoryLimit = 4,
  kPidsLimit = 5,
  kOutputLimit = 6,
  kCancelledByUser = 7,
  kCancelledByStop = 8,
  kFailFast = 9,
  kStartFailed = 10,
  kRefused = 11,
  kShimDied = 12,
  kHostRestarted = 13,
  kRecordDamaged = 14,
  kFileSizeLimit = 15,
};

struct Reason {
  ReasonCode code = ReasonCode::kNone;
  std::string text;        // one line for a person
  std::string step;        // kStartFailed
  std::string errno_name;  // kStartFailed
  std::string by;          // kCancelledByUser: who
  std::string detail;      // kCancelledByUser: why, in their words
  bool operator==(const Reason&) const = default;
};

struct Outcome {
  JobState state = JobState::kQueued;
  std::optional<int> exit_code;
  std::optional<int> signal;
  Reason reason;
  bool operator==(const Outcome&) const = default;
};

enum class Priority : uint8_t { kLow = 1, kNormal = 2, kUrgent = 3 };

// One command as submitted. Bytes are bytes; 0 means the service's default.
struct JobSpec {
  std::vector<std::string> argv;
  bool shell = false;
  std::string name;
  std::vector<std::pair<std::string, std::string>> env;
  // Names of variables in env that are of the submitter's surroundings: no part of the fingerprint. Not kept.
  std::vector<std::string> ambient;
  std::string workdir;
  std::string stdin_data;
  base::Nanos timeout = 0;
  std::optional<base::Nanos> kill_after;
  launch::JobLimits limits;
  std::string profile;
  std::string user;
  uint32_t retries = 0;
  bool operator==(const JobSpec&) const = default;
};

struct BatchOptions {
  std::string correlation_id;  // empty: the worker makes a UUIDv7
  std::string name;
  std::map<std::string, std::string> labels;
  uint32_t parallel = 0;
  bool fail_fast = false;
  Priority priority = Priority::kNormal;
  bool hold = false;
  bool operator==(const BatchOptions&) const = default;
};

// Addresses a batch; the owner is part of the name.
struct BatchName {
  std::string owner;
  std::string correlation_id;
  auto operator<=>(const BatchName&) const = default;
};

// What a job used.
struct Usage {
  base::Nanos user_cpu = 0;
  base::Nanos system_cpu = 0;
  base::Nanos wall = 0;
  uint64_t peak_memory = 0;
  uint64_t read_bytes = 0;
  uint64_t written_bytes = 0;
  uint64_t voluntary_switches = 0;
  uint64_t involuntary_switches = 0;
  bool operator==(const Usage&) const = default;
};

struct JobView {
  uint32_t index = 0;  // from 1
  std::string name;
  std::vector<std::string> argv;
  bool shell = false;
  Outcome outcome;
  uint32_t attempt = 0;        // 0: never started
  base::Nanos started_at = 0;  // wall clock; 0: not yet
  base::Nanos ended_at = 0;
  Usage usage;
  uint64_t stdout_bytes = 0;
  uint64_t stderr_bytes = 0;
  uint64_t dropped_bytes = 0;
  base::Nanos waits_since = 0;  // of what is QUEUED or HELD: when it became so
  std::string held_by;          // of what is HELD: who did that
  // Where they were asked for, without standard input: what was submitted, and the same with the service's defaults.
  std::shared_ptr<const JobSpec> asked;
  std::shared_ptr<const JobSpec> in_force;
  uint64_t stdin_bytes = 0;  // with them
};

// A job in a line.
struct JobSummary {
  std::string name;
  std::vector<std::string> argv;
  bool shell = false;
  bool cut = false;  // there is more of the command
};

struct BatchView {
  uint64_t id = 0;      // the store's number; not shown to clients
  uint64_t number = 0;  // among its owner's batches, from 1
  BatchName name;
  BatchOptions options;
  // kRunning while a job is live; kHeld when all that has not ended is held; while something waits, kQueued until a job ran and
  // kRunning after that; at the end the worst: LOST, OOM_KILLED, TIMED_OUT, FAILED, CANCELLED, SUCCEEDED in falling order.
  JobState state = JobState::kQueued;
  uint32_t job_count = 0;
  std::map<JobState, uint32_t> counts;
  base::Nanos created_at = 0;
  base::Nanos started_at = 0;
  base::Nanos ended_at = 0;
  int64_t kept_bytes = -1;  // what its files take; -1: not measured since its end
  JobSummary first_job;     // in lists
};

}  // namespace jobd::worker
