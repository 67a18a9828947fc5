// What clients ask of the service: new batches, and the removal of old ones.
#include "worker/admission.h"
#include "worker/batch_files.h"
#include "worker/supervisor.h"

namespace jobd::worker {

std::optional<base::Error> Supervisor::Refusal(const Submitter& submitter, uint64_t jobs) {
  if (state_ == ServiceState::kStopped) return base::Error(base::Code::kUnavailable, "the service is stopped");
  if (state_ == ServiceState::kDraining) return base::Error(base::Code::kUnavailable, "the service is draining");
  if (!parts_.store.writable()) {
    return base::Error(base::Code::kUnavailable, "the state disk failed; the service is read-only until it is restarted");
  }
  if (!MeasureDisk(parts_.state_dir, "state", limits_.min_free_bytes).accepting) {
    return base::Error(base::Code::kResourceExhausted, "the state disk is almost full");
  }
  if (!MeasureDisk(parts_.log_dir, "log", limits_.min_free_bytes).accepting) {
    return base::Error(base::Code::kResourceExhausted, "the log disk is almost full");
  }
  const Load load{.queued = queue_.queued(), .queued_of_owner = queue_.QueuedOf(submitter.owner)};
  if (base::Status status = CheckLoad(submitter, jobs, load, limits_); !status.ok()) return std::move(status).error();
  return std::nullopt;
}

void Supervisor::Submit(Submitter submitter, NewBatch batch, Callback<Receipt> done) {
  Post([this, submitter = std::move(submitter), batch = std::move(batch), done = std::move(done)]() mutable {
    const auto jobs = static_cast<int64_t>(batch.specs.size());
    batch.refusal = Refusal(submitter, batch.specs.size());
    const bool reserved = !batch.refusal;
    // Counted from now on, so that submissions under way cannot exceed a bound together.
    if (reserved) queue_.Reserve(submitter.owner, jobs);
    Queue::Batch entry{.owner = submitter.owner,
                       .priority = batch.options.priority,
                       .job_count = static_cast<uint32_t>(jobs),
                       .parallel = batch.options.parallel,
                       .held = batch.options.hold};
    auto stored = [this, entry = std::move(entry), jobs, reserved, max_running = batch.max_running,
                   done = std::move(done)](base::Result<Stored> result) mutable {
      Post([this, entry = std::move(entry), jobs, reserved, max_running, done = std::move(done),
            result = std::move(result)]() mutable {
        if (reserved) queue_.Reserve(entry.owner, -jobs);
        if (!result.ok()) return done(std::move(result).error());
        if (!result->receipt.replayed) {
          entry.id = result->id;
          queue_.Add(entry);
          queue_.SetMaxRunning(entry.owner, max_running);
          Dispatch();
        }
        done(std::move(result->receipt));
      });
    };
    // Writes of this turn come first: the store sees them in the order in which they were decided.
    Flush();
    parts_.store.Submit(std::move(batch), std::move(stored));
  });
}

void Supervisor::Remove(BatchName name, Callback<bool> done) {
  Post([this, name = std::move(name), done = std::move(done)] {
    const auto batch = FindBatch(JobSelector{.batch = name});
    if (!batch.ok()) return done(batch.error());
    const uint64_t id = batch->view.id;
    if (batch->view.ended_at == 0 || homes_.contains(id) || queue_.Has(id)) {
      return done(base::Error(base::Code::kFailedPrecondition, "the batch has not ended"));
    }
    RemoveFolders({batch->view}, [done](base::Result<Worker::Pruned> pruned) {
      if (!pruned.ok()) return done(pruned.error());
      done(pruned->batches > 0);
    });
  });
}

// On the loop. The batches have ended. Files go first: when that is cut short, the batch is still there to be removed again.
void Supervisor::RemoveFolders(std::vector<BatchView> batches, Callback<Worker::Pruned> done) {
  for (const BatchView& batch : batches) removing_.insert(batch.id);
  cleaner_->Post([this, batches = std::move(batches), done = std::move(done)]() mutable {
    Worker::Pruned pruned;
    std::optional<base::Error> failure;
    std::vector<Change> drops;
    for (const BatchView& batch : batches) {
      const uint64_t bytes = BatchFolderBytes(parts_.log_dir, batch.name);
      if (base::Status removed = RemoveBatchFolder(parts_.log_dir, batch.name); !removed.ok()) {
        failure = std::move(removed).error();
        continue;
      }
      drops.push_back(DropBatch{.batch = batch.id});
      ++pruned.batches;
      pruned.bytes += bytes;
    }
    Post([this, batches = std::move(batches), pruned, failure, drops = std::move(drops), done = std::move(done)]() mutable {
      Put(std::move(drops), [this, batches = std::move(batches), pruned, failure, done = std::move(done)](base::Status status) {
        for (const BatchView& batch : batches) {
          removing_.erase(batch.id);
          parts_.changes.Publish(batch.id, 0);
        }
        if (!status.ok()) return done(std::move(status).error());
        if (failure && pruned.batches == 0) return done(base::Error(base::Code::kInternal, "the batch's files cannot be deleted"));
        done(pruned);
      });
    });
  });
}

void Supervisor::Prune(std::string owner, base::Nanos older_than, bool dry_run, Callback<Worker::Pruned> done) {
  Post([this, owner = std::move(owner), older_than, dry_run, done = std::move(done)] {
    auto ended = reader().EndedBefore(owner, parts_.clock.Realtime() - older_than);
    if (!ended.ok()) return done(std::move(ended).error());
    std::erase_if(*ended, [this](const BatchView& batch) {
      return homes_.contains(batch.id) || queue_.Has(batch.id) || removing_.contains(batch.id);
    });
    if (!dry_run) return RemoveFolders(std::move(*ended), done);
    cleaner_->Post([this, batches = std::move(*ended), done] {
      Worker::Pruned pruned;
      for (const BatchView& batch : batches) {
        ++pruned.batches;
        pruned.bytes += BatchFolderBytes(parts_.log_dir, batch.name);
      }
      done(pruned);
    });
  });
}

}  // namespace jobd::worker
