#include "worker/worker.h"

#include <openssl/rand.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <map>

#include "base/bounds.h"
#include "base/guarded.h"
#include "base/text.h"
#include "base/token_signer.h"
#include "base/uuid7.h"
#include "worker/catalogue/address.h"
#include "worker/catalogue/batch_watch.h"
#include "worker/catalogue/query.h"
#include "worker/keep/maintenance.h"
#include "worker/launcher/launch_build.h"
#include "worker/launcher/launcher.h"
#include "worker/logs/log_session_impl.h"
#include "worker/model/admission.h"
#include "worker/model/observer.h"
#include "worker/ops/cancel.h"
#include "worker/ops/explain.h"
#include "worker/ops/hold.h"
#include "worker/ops/removal.h"
#include "worker/ops/retry.h"
#include "worker/ops/service.h"
#include "worker/ops/signal.h"
#include "worker/ops/stored_sessions.h"
#include "worker/ops/submit.h"
#include "worker/run/answer_guard.h"
#include "worker/run/engine.h"
#include "worker/store/disk_gauge.h"
#include "worker/store/recover.h"
#include "worker/store/spec_codec.h"
#include "worker/store/sqlite_store.h"

namespace jobd::worker {
namespace {

base::Error BadField(const std::string& field, const std::string& problem) {
  return base::Error(base::Code::kInvalidArgument, field + ": " + problem).WithViolations({{field, problem}});
}

base::Status CheckSelector(const JobSelector& jobs) {
  if (!base::IsSafeName(jobs.batch.correlation_id)) return BadField("jobs.correlation_id", "is not a correlation ID");
  return base::Ok();
}

const char* ProblemText(Store::Problem::Kind kind) {
  if (kind == Store::Problem::Kind::kHangs) return "not answering";
  return kind == Store::Problem::Kind::kReplaced ? "without its database (deleted or replaced)" : "failing";
}

// Changes nothing, and waits for a disk that is frozen or does not answer as everything does that would.
void TouchLogDisk(int dir) { ::unlinkat(dir, ".jobd-nothing", 0); }

// Reaches the maintenance, which is made after what calls it.
class LateUpkeep final : public Upkeep {
 public:
  // Before the first call of the others.
  void Set(Upkeep& upkeep) { upkeep_ = &upkeep; }
  bool IsCompressed(const BatchName& batch, uint32_t index) override { return upkeep_->IsCompressed(batch, index); }
  void Expand(launch::JobKey key, BatchName batch, std::function<void(base::Status)> done) override {
    upkeep_->Expand(key, std::move(batch), std::move(done));
  }
  void OnBatchEnded() override { upkeep_->OnBatchEnded(); }

 private:
  Upkeep* upkeep_ = nullptr;
};

class LocalWorker final : public Worker {
 public:
  LocalWorker(std::unique_ptr<Store> store, std::unique_ptr<FileWatcher> watcher, std::string seal_key, WorkerOptions options,
              Launcher& launcher, const base::Clock& clock)
      : launcher_(launcher),
        clock_(clock),
        observer_(options.observer != nullptr ? *options.observer : nobody_),
        log_dir_(options.log_dir),
        answer_within_(options.answer_within),
        disks_(options.state_dir, options.log_dir),
        store_(std::move(store)),
        watcher_(std::move(watcher)),
        signer_(std::move(seal_key)),
        limits_(InForce(std::move(options.limits))) {}

  // In the order in which the parts call each other: nobody is called who is gone.
  ~LocalWorker() override {
    guard_.reset();
    if (engine_) engine_->Shutdown();
    launcher_.Detach();
    if (maintenance_) maintenance_->Shutdown();
    watcher_.reset();
    store_.reset();
    maintenance_.reset();
    engine_.reset();
  }

  base::Status Begin() {
    const auto limits = limits_.load();
    disks_.SetMinFreeBytes(limits->min_free_bytes);
    JOBD_ASSIGN_OR_RETURN(engine_, Engine::Create({.store = *store_,
                                                   .launcher = launcher_,
                                                   .clock = clock_,
                                                   .changes = changes_,
                                                   .live = live_,
                                                   .observer = observer_,
                                                   .upkeep = upkeep_,
                                                   .log_dir = log_dir_},
                                                  *limits));
    maintenance_ = std::make_unique<Maintenance>(
        Maintenance::Parts{.store = *store_, .lender = engine_->leases, .clock = clock_, .log_dir = log_dir_}, limits->retention,
        limits->min_free_bytes);
    upkeep_.Set(*maintenance_);
    JOBD_RETURN_IF_ERROR(engine_->Begin());
    maintenance_->Begin();
    guard_.emplace(engine_->loop, *store_, answer_within_);
    sessions_.emplace(*store_, *guard_);
    return base::Ok();
  }

  void Submit(Submitter submitter, BatchOptions options, std::vector<JobSpec> jobs, Callback<Receipt> done) override {
    if (auto hangs = Hangs()) return done(std::move(*hangs));
    const auto limits = limits_.load();
    for (JobSpec& job : jobs) KeepLastOfDuplicates(job);
    NewBatch batch;
    if (base::Status status = CheckBatch(submitter, options, jobs, *limits); !status.ok()) {
      // Bounds may have been lowered since it was accepted, and its answer lost: then it is a repeat, and gets its receipt.
      if (!MayHaveBeenAccepted(options, jobs)) return done(std::move(status).error());
      batch.refusal = std::move(status).error();
    }
    batch.created_at = clock_.Realtime();
    // The default account is the submitter's, and so part of what they submit.
    for (JobSpec& job : jobs) {
      if (job.user.empty() && !submitter.run_as.empty()) job.user = submitter.run_as.front();
    }
    batch.digest = Fingerprint(options, jobs);
    for (JobSpec& job : jobs) PinBounds(submitter, *limits, job);
    if (options.correlation_id.empty()) options.correlation_id = base::MakeUuid7(batch.created_at);
    batch.name = {.owner = submitter.owner, .correlation_id = options.correlation_id};
    batch.options = std::move(options);
    batch.max_running = submitter.max_running.value_or(0);
    batch.specs.reserve(jobs.size());
    for (JobSpec& job : jobs) {
      EncodedSpec encoded{.spec = EncodeSpec(job), .stdin_data = std::move(job.stdin_data)};
      batch.specs.push_back(std::move(encoded));
    }
    AskLogDisk([this, submitter = std::move(submitter), held = std::make_shared<NewBatch>(std::move(batch)),
                done = guard_->Bound(std::move(done))]() mutable {
      SubmitOp::Post(*engine_, std::move(submitter), std::move(*held), DiskRefusal(), std::move(done));
    });
  }

  void Cancel(JobSelector jobs, std::string by, std::string reason, std::optional<base::Nanos> grace,
              Callback<CancelCounts> done) override {
    if (base::Status status = CheckSelector(jobs); !status.ok()) return done(std::move(status).error());
    if (grace && (*grace < 0 || *grace > base::kMaxJobTime)) return done(BadField("grace", "must be between 0 and 30 days"));
    if (reason.size() > base::kMaxReasonBytes || !base::IsValidUtf8(reason)) {
      return done(BadField("reason", "must be at most " + std::to_string(base::kMaxReasonBytes) + " bytes of UTF-8"));
    }
    const auto past_loop = [this, jobs, grace] { EndPastLoop(jobs, grace); };
    CancelOp::Post(*engine_, std::move(jobs), CancelledByUser(by, reason), grace, guard_->Bound(std::move(done), past_loop));
  }
  void Signal(JobSelector jobs, int signal, Callback<uint32_t> done) override {
    if (base::Status status = CheckSelector(jobs); !status.ok()) return done(std::move(status).error());
    if (signal < 1 || signal > base::kMaxSignal) return done(BadField("signal", "must be between 1 and 64"));
    const auto past_loop = [this, jobs, signal] {
      for (const auto& [key, grace] : live_.WithLauncher(jobs)) launcher_.SignalPastLoop(key, signal);
    };
    PostSignal(*engine_, std::move(jobs), signal, guard_->Bound(std::move(done), past_loop));
  }
  void Retry(JobSelector jobs, bool failed_only, Callback<uint32_t> done) override {
    if (base::Status status = CheckSelector(jobs); !status.ok()) return done(std::move(status).error());
    if (auto hangs = Hangs()) return done(std::move(*hangs));
    AskLogDisk([this, jobs = std::move(jobs), failed_only, done = guard_->Bound(std::move(done))]() mutable {
      RetryOp::Post(*engine_, std::move(jobs), failed_only, DiskRefusal(), std::move(done));
    });
  }
  void Hold(JobSelector jobs, std::string by, Callback<uint32_t> done) override {
    if (base::Status status = CheckSelector(jobs); !status.ok()) return done(std::move(status).error());
    if (auto hangs = Hangs()) return done(std::move(*hangs));
    HoldOp::Post(*engine_, HoldOp::Kind::kHold, std::move(jobs), std::move(by), guard_->Bound(std::move(done)));
  }
  void Release(JobSelector jobs, Callback<uint32_t> done) override {
    if (base::Status status = CheckSelector(jobs); !status.ok()) return done(std::move(status).error());
    if (auto hangs = Hangs()) return done(std::move(*hangs));
    HoldOp::Post(*engine_, HoldOp::Kind::kRelease, std::move(jobs), "", guard_->Bound(std::move(done)));
  }
  void Remove(BatchName batch, Callback<bool> done) override {
    if (!base::IsSafeName(batch.correlation_id)) return done(BadField("correlation_id", "is not a correlation ID"));
    PostRemoval(
        *engine_, std::move(batch),
        [this](BatchView ended, Callback<bool> answer) { maintenance_->Remove(std::move(ended), std::move(answer)); },
        guard_->Bound(std::move(done)));
  }
  void Prune(std::string owner, base::Nanos older_than, bool dry_run, Callback<Pruned> done) override {
    if (older_than < 0) return done(BadField("older_than", "must not be negative"));
    maintenance_->Prune(std::move(owner), older_than, dry_run, guard_->Bound(std::move(done)));
  }

  base::Result<JobPage> GetBatch(const JobQuery& query) override {
    if (!base::IsSafeName(query.batch.correlation_id)) return BadField("correlation_id", "is not a correlation ID");
    JOBD_ASSIGN_OR_RETURN(const auto reader, store_->Read());
    JOBD_ASSIGN_OR_RETURN(JobPage page, QueryBatch(*reader, live_, signer_, query));
    const auto limits = limits_.load();
    for (JobView& job : page.jobs) {
      if (job.asked) job.in_force = std::make_shared<const JobSpec>(WithDefaults(*job.asked, *limits));
    }
    return page;
  }
  base::Result<Target> Resolve(const std::string& owner, const std::string& address) override {
    JOBD_ASSIGN_OR_RETURN(const auto reader, store_->Read<CatalogueReader>());
    return ResolveAddress(*reader, owner, address);
  }
  base::Result<BatchPage> ListBatches(const BatchQuery& query) override {
    JOBD_ASSIGN_OR_RETURN(const auto reader, store_->Read());
    return QueryBatches(*reader, live_, signer_, query);
  }
  base::Result<std::unique_ptr<LogSession>> OpenLogs(const LogQuery& query) override {
    if (!base::IsSafeName(query.batch.correlation_id)) return BadField("correlation_id", "is not a correlation ID");
    return OpenLogSession(
        {.store = *store_, .changes = changes_, .watcher = *watcher_, .signer = signer_, .clock = clock_, .log_dir = log_dir_},
        query);
  }
  base::Result<std::unique_ptr<BatchWatch>> Watch(const BatchName& batch) override {
    if (!base::IsSafeName(batch.correlation_id)) return BadField("correlation_id", "is not a correlation ID");
    return OpenBatchWatch(*store_, live_, changes_, *watcher_, batch);
  }

  void Explain(WaitQuery query, Callback<std::vector<WaitReasons>> done) override {
    // Whatever else there may be: nothing starts before the disk is back, and the loop may be waiting for it, too.
    if (Hangs()) return done(std::vector(query.jobs.size(), WaitReasons{{.code = WaitCode::kDisk, .disk = "state"}}));
    PostExplain(*engine_, std::move(query), guard_->Bound(std::move(done)));
  }

  void Start(Callback<ServiceState> done) override { PostStart(*engine_, guard_->Bound(std::move(done))); }
  void Stop(bool now, std::string by, Callback<uint32_t> done) override {
    const auto past_loop = [this, now] {
      if (now) EndPastLoop(std::nullopt, std::nullopt);
    };
    PostStop(*engine_, now, std::move(by), guard_->Bound(std::move(done), past_loop));
  }
  void Drain(std::string by, Callback<ServiceState> done) override {
    PostDrain(*engine_, std::move(by), guard_->Bound(std::move(done)));
  }
  // It is asked on a thread of its own. When it has not answered within kHangsAfter, or the loop does not, Hangs() says so.
  void AskLogDisk(std::function<void()> then) override {
    Loop& loop = engine_->loop;
    if (loop.log_disk().AnsweredLately() || loop.log_disk().Hangs()) return then();
    const auto go_on = guard_->Bound<bool>([then = std::move(then)](const base::Result<bool>&) { then(); });
    loop.log_disk().Do([dir = log_dir_, go_on] {
      TouchLogDisk(dir);
      go_on(true);
    });
    loop.Post([&loop, go_on] { loop.After(LogDisk::kHangsAfter, [go_on] { go_on(false); }); });
  }
  WorkerStatus GetStatus() override {
    WorkerStatus status = engine_->announcer.Status();
    status.disks = LookAtDisks();
    status.kept = maintenance_->kept();
    return status;
  }
  base::Result<OwnerUse> UseOf(const std::string& owner) override {
    JOBD_ASSIGN_OR_RETURN(const auto reader, store_->Read<AccountReader>());
    return reader->Use(owner);
  }
  SessionStore& sessions() override { return *sessions_; }
  void SetLimits(WorkerLimits limits) override {
    const auto in_force = InForce(std::move(limits));
    limits_.store(in_force);
    disks_.SetMinFreeBytes(in_force->min_free_bytes);
    maintenance_->SetRules(in_force->retention, in_force->min_free_bytes);
    engine_->SetLimits(*in_force);
  }

 private:
  // The limits with what the launcher can do by now: what admission decides by is one value.
  std::shared_ptr<const WorkerLimits> InForce(WorkerLimits limits) const {
    limits.capabilities = launcher_.Capabilities();
    return std::make_shared<const WorkerLimits>(std::move(limits));
  }
  // A commit hangs: nothing more is put behind it.
  std::optional<base::Error> Hangs() const {
    auto problem = store_->FindProblem();
    if (!problem || problem->kind != Store::Problem::Kind::kHangs) return std::nullopt;
    return std::move(problem->error);
  }
  // The loop hangs: what runs is ended past it. It is told again, with the reason, when the loop is back.
  void EndPastLoop(const std::optional<JobSelector>& jobs, std::optional<base::Nanos> grace) {
    for (const auto& [key, own] : live_.WithLauncher(jobs)) launcher_.CancelPastLoop(key, grace.value_or(own));
  }
  // Why the disks take no more jobs, if so.
  std::optional<base::Error> DiskRefusal() {
    const auto disks = LookAtDisks();
    if (auto problem = store_->FindProblem()) return std::move(problem->error);
    if (engine_->loop.log_disk().Hangs()) return base::Error(base::Code::kUnavailable, "the log disk does not answer");
    for (const DiskStatus& disk : disks) {
      if (!disk.accepting) return base::Error(base::Code::kResourceExhausted, "the " + disk.name + " disk is " + disk.problem);
    }
    return std::nullopt;
  }
  // "state" and "log", in this order, with all that is known to be wrong with them.
  std::vector<DiskStatus> LookAtDisks() {
    // One that hangs is not asked: we may be on a thread that others wait for.
    auto measured = engine_->loop.log_disk().Hangs() ? *measured_.Lock() : disks_.Measure();
    *measured_.Lock() = measured;
    std::vector<DiskStatus> disks{std::move(measured[0]), std::move(measured[1])};
    const auto refuse = [](DiskStatus& disk, std::string problem) {
      disk.problem = std::move(problem);
      disk.accepting = false;
    };
    if (const auto problem = store_->FindProblem()) refuse(disks[0], ProblemText(problem->kind));
    if (std::string problem = launcher_.FindProblem(); !problem.empty()) refuse(disks[1], std::move(problem));
    engine_->loop.log_disk().Probe([dir = log_dir_] { TouchLogDisk(dir); });
    if (engine_->loop.log_disk().Hangs()) refuse(disks[1], "not answering");
    const auto told = told_problems_.Lock();
    for (const DiskStatus& disk : disks) {
      if (std::exchange((*told)[disk.name], disk.problem) != disk.problem) observer_.OnDisk(disk);
    }
    return disks;
  }

  Launcher& launcher_;
  const base::Clock& clock_;
  Observer nobody_;
  Observer& observer_;
  const int log_dir_;
  const base::Nanos answer_within_;
  DiskGauge disks_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<FileWatcher> watcher_;
  const base::TokenSigner signer_;
  ChangeBus changes_;
  LiveOverlay live_;
  LateUpkeep upkeep_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Maintenance> maintenance_;
  std::optional<AnswerGuard> guard_;
  std::optional<StoredSessions> sessions_;
  std::atomic<std::shared_ptr<const WorkerLimits>> limits_;
  base::Guarded<std::array<DiskStatus, 2>> measured_{
      std::array<DiskStatus, 2>{DiskStatus{.name = "state"}, DiskStatus{.name = "log"}}};
  base::Guarded<std::map<std::string, std::string>> told_problems_;  // by the disk's name
};

// The key of page tokens and cursors: made once per database.
base::Result<std::string> SealKey(Store& store) {
  {
    JOBD_ASSIGN_OR_RETURN(const auto reader, store.Read());
    JOBD_ASSIGN_OR_RETURN(auto known, reader->Meta("seal_key"));
    if (known && known->size() == 32) return std::move(*known);
  }
  std::array<unsigned char, 32> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    return base::Error(base::Code::kInternal, "the system has no random numbers");
  }
  std::string key(reinterpret_cast<const char*>(random.data()), random.size());
  store.Apply({Write{.changes = {PutMeta{.key = "seal_key", .value = key}}, .done = [](const base::Status&) {
                       // Not stored: tokens given out now are refused after a restart, and nothing else.
                     }}});
  return key;
}

}  // namespace

base::Result<std::unique_ptr<Worker>> Worker::Create(WorkerOptions options, Launcher& launcher, const base::Clock& clock) {
  JOBD_RETURN_IF_ERROR(CheckDatabaseIsNotGone(options.state_dir, options.log_dir));
  JOBD_ASSIGN_OR_RETURN(auto store, OpenSqliteStore(options.state_dir, clock, options.observer));
  JOBD_ASSIGN_OR_RETURN(auto key, SealKey(*store));
  JOBD_ASSIGN_OR_RETURN(auto watcher, FileWatcher::Create());
  auto worker =
      std::make_unique<LocalWorker>(std::move(store), std::move(watcher), std::move(key), std::move(options), launcher, clock);
  JOBD_RETURN_IF_ERROR(worker->Begin());
  return std::unique_ptr<Worker>(std::move(worker));
}

}  // namespace jobd::worker
