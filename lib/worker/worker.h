// The worker: admission, queue, store, running jobs and their logs, usable without gRPC. Identity and authorisation are the
// caller's (the server's) business: everything here is done for whoever is named.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "launch/contract/offer.h"
#include "worker/log_session.h"
#include "worker/model.h"

namespace jobd::worker {

class Launcher;
class Observer;

// How much of what has ended is kept; 0: no bound. What goes is the batch that ended first, its files and its rows.
struct RetentionRule {
  base::Nanos max_age = 0;  // since the end, by the wall clock
  uint64_t max_bytes = 0;   // of files, as they take room on the disk
  uint64_t max_batches = 0;
  bool operator==(const RetentionRule&) const = default;
};
struct Retention {
  RetentionRule all;               // the bounds are on everybody's batches together
  base::Nanos compress_after = 0;  // since the end of a batch, its output is compressed; 0: never
  // Of some owners: the age is theirs instead of the one of all; the bounds are on their own batches, beside those on all.
  std::map<std::string, RetentionRule> owners;
};

// What may change while running. See the settings of the same names in config/config.h.
struct WorkerLimits {
  uint32_t max_running = 1;
  uint64_t max_queued = 2'000'000;
  uint64_t max_queued_per_user = 1'000'000;
  uint32_t max_batch_jobs = 100'000;
  uint64_t max_output_bytes = 0;
  uint64_t min_free_bytes = 0;
  std::string default_profile = "standard";
  base::Nanos default_timeout = 0;
  base::Nanos default_kill_after = 0;
  launch::JobLimits default_limits;
  std::string default_workdir;
  std::string default_path;
  launch::Offer offer;  // what the launcher can and will do
  Retention retention;
};

struct WorkerOptions {
  int state_dir = -1;  // borrowed; outlive the worker
  int log_dir = -1;
  WorkerLimits limits;
  Observer* observer = nullptr;  // borrowed, if any; outlives the worker
};

// Who submits, and what they may ask for: from the users file, decided by the server.
struct Submitter {
  std::string owner;
  std::vector<std::string> profiles;  // empty: all that need no grant
  std::vector<std::string> run_as;    // the first is the default; empty: only the launcher's default
  launch::OwnerBounds bounds;
  std::optional<uint64_t> max_queued;
  std::optional<uint32_t> max_running;
};

struct Receipt {
  std::string correlation_id;
  uint32_t job_count = 0;
  base::Nanos created_at = 0;
  bool replayed = false;
};

struct JobSelector {
  BatchName batch;
  std::optional<uint32_t> index;  // absent: all jobs
};

struct CancelCounts {
  uint32_t cancelled = 0;
  uint32_t stopping = 0;
};

struct JobQuery {
  BatchName batch;  // the ID may be a unique prefix
  std::optional<uint32_t> index;
  std::vector<JobState> states;  // empty: all
  uint32_t page_size = 1000;
  std::string page_token;  // of an earlier answer
};
struct JobPage {
  BatchView batch;
  std::vector<JobView> jobs;  // by index
  std::string next_page_token;
};

struct BatchQuery {
  std::optional<std::string> owner;  // absent: all owners
  std::vector<JobState> states;      // of the batch
  std::map<std::string, std::string> labels;
  uint32_t page_size = 100;
  std::string page_token;
};
struct BatchPage {
  std::vector<BatchView> batches;  // newest first
  std::string next_page_token;
};

enum class ServiceState { kRunning = 1, kDraining = 2, kStopped = 3 };

struct DiskStatus {
  std::string name;  // "state" or "log"
  uint64_t free_bytes = 0;
  uint64_t total_bytes = 0;
  bool accepting = true;
  std::string problem;  // why it is not: "almost full", "almost out of inodes", "read-only" or "failing"
};

// Ended batches that are kept, by the latest look at them.
struct KeptStatus {
  uint64_t batches = 0;
  uint64_t bytes = 0;        // of files; a batch is measured soon after its end
  uint64_t undeletable = 0;  // batches that should have gone, whose files could not be deleted
  RetentionRule rule;
  size_t own_rules = 0;  // owners with a rule of their own
};

struct WorkerStatus {
  ServiceState state = ServiceState::kRunning;
  uint32_t slots = 0;
  uint32_t running = 0;
  uint64_t queued = 0;
  std::map<JobState, uint64_t> finished;  // since this process started
  std::vector<DiskStatus> disks;
  KeptStatus kept;
};

struct WatchUpdate {
  BatchView batch;
  std::vector<JobView> jobs;  // first: up to 1000 live ones; later: those that changed since the last update
  bool finished = false;      // the batch has ended; nothing comes after this
};

// As LogSession: Next gives what changed, an empty optional means Arm.
class BatchWatch {
 public:
  virtual ~BatchWatch() = default;
  virtual base::Result<std::optional<WatchUpdate>> Next() = 0;
  virtual void Arm(std::function<void()> wake) = 0;
};

template <typename T>
using Callback = std::function<void(base::Result<T>)>;

// Thread-safe, but for Create and the destructor. Callbacks come on a thread of the worker's, exactly once, and must not block.
// Errors of requests are kInvalidArgument with violations that name the field as the API does ("jobs[2].argv", "options.labels"),
// kNotFound, kAlreadyExists, kResourceExhausted, kFailedPrecondition and kUnavailable; their messages hold nothing of the
// machine's.
class Worker {
 public:
  // Opens the store (migrating it), reconciles its live jobs with exit files and launcher, starts the threads `loop`, `store`,
  // `tail` and `clean`. `launcher` and `clock` outlive the worker. kDataLoss when the database is damaged, kFailedPrecondition when
  // it, or the exit record of a live job, is newer than this program; nothing is changed then.
  static base::Result<std::unique_ptr<Worker>> Create(WorkerOptions options, Launcher& launcher, const base::Clock& clock);
  // Stops dispatching and joins the threads; what runs goes on without us.
  virtual ~Worker() = default;

  // Answered when committed.
  virtual void Submit(Submitter submitter, BatchOptions options, std::vector<JobSpec> jobs, Callback<Receipt> done) = 0;
  virtual void Cancel(JobSelector jobs, std::string by, std::string reason, std::optional<base::Nanos> grace,
                      Callback<CancelCounts> done) = 0;
  virtual void Signal(JobSelector jobs, int signal, Callback<uint32_t> done) = 0;
  virtual void Retry(JobSelector jobs, bool failed_only, Callback<uint32_t> done) = 0;
  virtual void Hold(JobSelector jobs, Callback<uint32_t> done) = 0;
  virtual void Release(JobSelector jobs, Callback<uint32_t> done) = 0;
  virtual void Remove(BatchName batch, Callback<bool> done) = 0;
  struct Pruned {
    uint32_t batches = 0;
    uint64_t bytes = 0;
  };
  virtual void Prune(std::string owner, base::Nanos older_than, bool dry_run, Callback<Pruned> done) = 0;

  // These read the store on the calling thread.
  virtual base::Result<JobPage> GetBatch(const JobQuery& query) = 0;
  virtual base::Result<BatchPage> ListBatches(const BatchQuery& query) = 0;
  virtual base::Result<std::unique_ptr<LogSession>> OpenLogs(const LogQuery& query) = 0;
  virtual base::Result<std::unique_ptr<BatchWatch>> Watch(const BatchName& batch) = 0;

  virtual void Start(Callback<ServiceState> done) = 0;
  // With now: cancels what is queued and what runs.
  virtual void Stop(bool now, std::string by, Callback<uint32_t> done) = 0;
  virtual void Drain(Callback<ServiceState> done) = 0;
  virtual WorkerStatus GetStatus() = 0;
  // Retention, and with it compression, is by itself: at the start, when a batch has ended, when one comes of age, and when this
  // changes the rules.
  virtual void SetLimits(WorkerLimits limits) = 0;
};

}  // namespace jobd::worker
