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
#include "launch/contract/capabilities.h"
#include "worker/catalogue/watch_update.h"
#include "worker/logs/log_session.h"
#include "worker/model/limits.h"
#include "worker/model/model.h"
#include "worker/model/page.h"
#include "worker/model/request.h"
#include "worker/model/service_status.h"
#include "worker/model/session_store.h"
#include "worker/model/wait.h"

namespace jobd::worker {

class Launcher;
class Observer;

struct WorkerOptions {
  int state_dir = -1;  // borrowed; outlive the worker
  int log_dir = -1;
  WorkerLimits limits;
  base::Nanos answer_within = 3 * base::kNanosPerSecond;  // where a disk hangs: see AnswerGuard
  Observer* observer = nullptr;                           // borrowed, if any; outlives the worker
};

// Thread-safe, but for Create and the destructor. Callbacks come on a thread of the worker's, exactly once, and must not block.
// Errors of requests are kInvalidArgument with violations that name the field as the API does ("jobs[2].argv", "options.labels"),
// kNotFound, kAlreadyExists, kResourceExhausted, kFailedPrecondition and kUnavailable; their messages hold nothing of the
// machine's.
class Worker {
 public:
  // Opens the store (migrating it), reconciles its live jobs with exit files and launcher, starts the threads `loop`, `store`,
  // `watcher`, `guard` and `clean`. `launcher` and `clock` outlive the worker. kDataLoss when the database is damaged,
  // kFailedPrecondition when it, or the exit record of a live job, is newer than this program; nothing is changed then.
  static base::Result<std::unique_ptr<Worker>> Create(WorkerOptions options, Launcher& launcher, const base::Clock& clock);
  // Stops dispatching and joins the threads; what runs goes on without us.
  virtual ~Worker() = default;

  // Answered when committed. While a disk hangs: kUnavailable, in bounded time; what runs is ended and signalled all the same.
  virtual void Submit(Submitter submitter, BatchOptions options, std::vector<JobSpec> jobs, Callback<Receipt> done) = 0;
  virtual void Cancel(JobSelector jobs, std::string by, std::string reason, std::optional<base::Nanos> grace,
                      Callback<CancelCounts> done) = 0;
  virtual void Signal(JobSelector jobs, int signal, Callback<uint32_t> done) = 0;
  virtual void Retry(JobSelector jobs, bool failed_only, Callback<uint32_t> done) = 0;
  virtual void Hold(JobSelector jobs, std::string by, Callback<uint32_t> done) = 0;
  virtual void Release(JobSelector jobs, Callback<uint32_t> done) = 0;
  virtual void Remove(BatchName batch, Callback<bool> done) = 0;
  virtual void Prune(std::string owner, base::Nanos older_than, bool dry_run, Callback<Pruned> done) = 0;

  // These read the store on the calling thread.
  virtual base::Result<JobPage> GetBatch(const JobQuery& query) = 0;
  // Which batch, and perhaps job, of the owner an address means: see catalogue/address.h.
  virtual base::Result<Target> Resolve(const std::string& owner, const std::string& address) = 0;
  virtual base::Result<BatchPage> ListBatches(const BatchQuery& query) = 0;
  virtual base::Result<std::unique_ptr<LogSession>> OpenLogs(const LogQuery& query) = 0;
  virtual base::Result<std::unique_ptr<BatchWatch>> Watch(const BatchName& batch) = 0;

  // Why these jobs wait, by the state of this moment; in their order.
  virtual void Explain(WaitQuery query, Callback<std::vector<WaitReasons>> done) = 0;

  virtual void Start(Callback<ServiceState> done) = 0;
  // With now: cancels what is queued and what runs.
  virtual void Stop(bool now, std::string by, Callback<uint32_t> done) = 0;
  virtual void Drain(std::string by, Callback<ServiceState> done) = 0;
  // As it is known at this moment. Whether the log disk answers is known once `then` of AskLogDisk is called: at once where it has
  // lately, else on another thread, seconds later at most. Never, if the worker is destroyed before.
  virtual WorkerStatus GetStatus() = 0;
  virtual void AskLogDisk(std::function<void()> then) { then(); }
  // Reads the store on the calling thread.
  virtual base::Result<OwnerUse> UseOf(const std::string& owner) = 0;
  // Lives as long as the worker.
  virtual SessionStore& sessions() = 0;
  // Retention, and with it compression, is by itself: at the start, when a batch has ended, when one comes of age, and when this
  // changes the rules.
  virtual void SetLimits(WorkerLimits limits) = 0;
};

}  // namespace jobd::worker
