#include "worker/run/supervisor.h"

#include <chrono>

#include "base/thread_name.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {

Supervisor::Supervisor(Parts parts, WorkerLimits limits)
    : parts_(parts),
      limits_(std::move(limits)),
      io_(1),
      keep_running_(boost::asio::make_work_guard(io_)),
      slot_events_(io_),
      retention_timer_(io_),
      wall_at_zero_(parts.clock.Realtime() - parts.clock.Monotonic()) {
  min_free_bytes_ = limits_.min_free_bytes;
}

Supervisor::~Supervisor() { Shutdown(); }

void Supervisor::Shutdown() {
  if (thread_.joinable()) {
    Post([this] {
      Flush();
      io_.stop();
    });
    thread_.join();
  }
  cleaner_.Shutdown();
  homes_.clear();
  if (slot_events_.is_open()) slot_events_.release();
  reader_.reset();
}

void Supervisor::Later(base::Nanos delay, std::function<void()> work) {
  auto timer = std::make_shared<boost::asio::steady_timer>(io_, std::chrono::nanoseconds(delay));
  timer->async_wait([timer, work = std::move(work)](const boost::system::error_code& cancelled) {
    if (!cancelled) work();
  });
}

void Supervisor::Put(std::vector<Change> changes, std::function<void(base::Status)> done) {
  outbox_.push_back(Write{.changes = std::move(changes), .done = [this, done = std::move(done)](base::Status status) mutable {
                            Post([done = std::move(done), status = std::move(status)]() mutable { done(std::move(status)); });
                          }});
  if (flush_posted_) return;
  flush_posted_ = true;
  // After what this turn still does: the end of a job and the start of the next travel together.
  Post([this] {
    flush_posted_ = false;
    if (!outbox_.empty()) parts_.store.ApplyHere(std::exchange(outbox_, {}));
  });
}

void Supervisor::Flush() {
  if (!outbox_.empty()) parts_.store.Apply(std::exchange(outbox_, {}));
}

void Supervisor::Publish() {
  const std::lock_guard lock(status_mutex_);
  status_.state = state_;
  status_.slots = limits_.max_running;
  status_.running = slots_used_;
  status_.queued = queue_.queued();
}

void Supervisor::Show(launch::JobKey key, JobState state, base::Nanos started_at) {
  parts_.live.Set(key.batch, key.index, {.state = state, .attempt = key.attempt, .started_at = started_at});
  parts_.changes.Publish(key.batch, key.index);
}

void Supervisor::Told(uint64_t batch, uint32_t index, const Outcome& outcome) {
  if (IsFinal(outcome.state)) {
    {
      const std::lock_guard lock(status_mutex_);
      ++status_.finished[outcome.state];
    }
    parts_.observer.OnEnded(NameOf(batch), index, outcome, 1);
  }
  parts_.changes.Publish(batch, index);
}

BatchName Supervisor::NameOf(uint64_t batch) {
  if (const auto home = homes_.find(batch); home != homes_.end()) return home->second.name;
  const auto view = reader().Batch(batch);
  return view.ok() ? view->name : BatchName{};
}

WorkerStatus Supervisor::Status() const {
  WorkerStatus status;
  uint64_t min_free = 0;
  {
    const std::lock_guard lock(status_mutex_);
    status = status_;
    min_free = min_free_bytes_;
  }
  DiskStatus state = MeasureDisk(parts_.state_dir, "state", min_free);
  if (!parts_.store.writable()) {
    state.problem = "failing";
    state.accepting = false;
  }
  status.disks = {std::move(state), MeasureDisk(parts_.log_dir, "log", min_free)};
  return status;
}

void Supervisor::SetLimits(WorkerLimits limits) {
  Post([this, limits = std::move(limits)]() mutable {
    limits_ = std::move(limits);
    {
      const std::lock_guard lock(status_mutex_);
      min_free_bytes_ = limits_.min_free_bytes;
    }
    RetainSoon();
    Dispatch();
  });
}

void Supervisor::SetState(ServiceState state, std::function<void(base::Status)> done) {
  state_ = state;
  Put({PutMeta{.key = "service_state", .value = std::to_string(static_cast<int>(state))}}, std::move(done));
  Dispatch();
}

void Supervisor::Start(Callback<ServiceState> done) {
  Post([this, done = std::move(done)] {
    SetState(ServiceState::kRunning, [done](base::Status status) {
      done(status.ok() ? base::Result<ServiceState>(ServiceState::kRunning) : base::Result<ServiceState>(status.error()));
    });
  });
}

void Supervisor::Drain(Callback<ServiceState> done) {
  Post([this, done = std::move(done)] {
    if (state_ == ServiceState::kRunning) state_ = ServiceState::kDraining;
    SetState(state_, [this, done](const base::Status& status) {
      done(status.ok() ? base::Result<ServiceState>(state_) : base::Result<ServiceState>(status.error()));
    });
    RetireIfIdle(0);  // there may be nothing to wait for
  });
}

void Supervisor::Stop(bool now, std::string by, Callback<uint32_t> done) {
  Post([this, now, by = std::move(by), done = std::move(done)] {
    SetState(ServiceState::kStopped, [this, now, by, done](base::Status status) {
      if (!status.ok() || !now) {
        done(status.ok() ? base::Result<uint32_t>(0u) : base::Result<uint32_t>(status.error()));
        return;
      }
      std::set<uint64_t> batches;
      for (const uint64_t id : queue_.Batches()) batches.insert(id);
      for (const auto& [id, home] : homes_) batches.insert(id);
      for (const auto& [id, retrying] : retrying_) batches.insert(id);
      if (batches.empty()) {
        done(0u);
        return;
      }
      // One answer, when the last of them is done; the first failure is the answer.
      struct Gather {
        size_t left = 0;
        uint32_t cancelled = 0;
        std::optional<base::Error> failure;
      };
      auto gather = std::make_shared<Gather>(Gather{.left = batches.size()});
      for (const uint64_t batch : batches) {
        const auto cancel = [this, batch, by, gather, done] {
          PutCancel(batch, CollectCancel(batch, std::nullopt, CancelledByStop(by), std::nullopt),
                    [gather, done](base::Result<CancelCounts> counts) {
                      if (counts.ok()) {
                        gather->cancelled += counts->cancelled + counts->stopping;
                      } else if (!gather->failure) {
                        gather->failure = counts.error();
                      }
                      if (--gather->left > 0) return;
                      done(gather->failure ? base::Result<uint32_t>(*gather->failure) : base::Result<uint32_t>(gather->cancelled));
                    });
        };
        if (!BehindRetry(batch, cancel)) cancel();
      }
    });
  });
}

void Supervisor::RetireIfIdle(uint64_t batch) {
  if (batch != 0 && !homes_.contains(batch) && queue_.QueuedIn(batch) == 0) {
    queue_.Remove(batch);
    RetainSoon();
  }
  if (state_ == ServiceState::kDraining && homes_.empty() && queue_.queued() == 0) {
    SetState(ServiceState::kStopped, [](const base::Status&) {
      // If it could not be stored, a restart drains again and gets here again.
    });
  }
}

void Supervisor::OnRefused(launch::Refused refused) {
  Post([this, refused = std::move(refused)] { HandleRefused(refused); });
}
void Supervisor::OnShimExited(launch::JobKey key) {
  Post([this, key] { HandleShimExited(key); });
}
void Supervisor::OnSwept(launch::JobKey key) {
  Post([this, key] { HandleSwept(key); });
}
void Supervisor::OnPing() {
  if (!taken_up_) return (void)parts_.launcher.Alive();  // which takes as long as the queue is long
  // Answered when both threads have had their turn: proof that neither hangs. Whether the disk takes anything is another matter.
  Post([this] {
    parts_.store.Apply({Write{.changes = {}, .done = [this](const base::Status&) { (void)parts_.launcher.Alive(); }}});
  });
}

}  // namespace jobd::worker
