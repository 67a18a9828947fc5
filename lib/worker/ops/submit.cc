// What clients ask of the service: new batches, and the removal of old ones.
#include "worker/model/admission.h"
#include "worker/run/supervisor.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

// The loop looks at so many batches at a time, and one commit drops them.
constexpr uint32_t kPrunedAtOnce = 64;

}  // namespace

std::optional<base::Error> Supervisor::Refusal(const Submitter& submitter, uint64_t jobs) {
  if (state_ == ServiceState::kStopped) return base::Error(base::Code::kFailedPrecondition, "the service is stopped");
  if (state_ == ServiceState::kDraining) return base::Error(base::Code::kFailedPrecondition, "the service is draining");
  if (!parts_.store.writable()) {
    return base::Error(base::Code::kUnavailable, "the state disk failed; the service is read-only until it is restarted");
  }
  for (const DiskStatus& disk : {MeasureDisk(parts_.state_dir, "state", limits_.min_free_bytes),
                                 MeasureDisk(parts_.log_dir, "log", limits_.min_free_bytes)}) {
    if (!disk.accepting) return base::Error(base::Code::kResourceExhausted, "the " + disk.name + " disk is " + disk.problem);
  }
  const Load load{.queued = queue_.queued(), .queued_of_owner = queue_.QueuedOf(submitter.owner)};
  if (base::Status status = CheckLoad(submitter, jobs, load, limits_); !status.ok()) return std::move(status).error();
  return std::nullopt;
}

void Supervisor::Submit(Submitter submitter, NewBatch batch, Callback<Receipt> done) {
  Post([this, submitter = std::move(submitter), batch = std::move(batch), done = std::move(done)]() mutable {
    const auto jobs = static_cast<int64_t>(batch.specs.size());
    if (!batch.refusal) batch.refusal = Refusal(submitter, batch.specs.size());
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
          parts_.observer.OnAccepted(entry.job_count);
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

bool Supervisor::IsOver(const BatchView& batch) const {
  return batch.ended_at != 0 && !homes_.contains(batch.id) && !queue_.Has(batch.id) && !retrying_.contains(batch.id);
}

void Supervisor::Remove(BatchName name, Callback<bool> done) {
  Post([this, name = std::move(name), done = std::move(done)] {
    const auto batch = FindBatch(JobSelector{.batch = name});
    if (!batch.ok()) return done(batch.error());
    if (!IsOver(batch->view)) {
      return done(base::Error(base::Code::kFailedPrecondition, "the batch has not ended"));
    }
    RemoveFolders({batch->view}, [this, done](base::Result<Removed> removed) {
      RetainSoon();  // what is kept has changed
      if (!removed.ok()) return done(removed.error());
      if (!removed->kept.empty()) return done(Undeletable());
      done(true);
    });
  });
}

// On the loop. The batches have ended. Files go first: when that is cut short, the batch is still there to be removed again.
void Supervisor::RemoveFolders(std::vector<BatchView> batches, Callback<Removed> done) {
  for (const BatchView& batch : batches) removing_.insert(batch.id);
  cleaner_.Post([this, batches = std::move(batches), done = std::move(done)]() mutable {
    Removed removed;
    std::vector<Change> drops;
    for (const BatchView& batch : batches) {
      const uint64_t bytes = BatchFolderBytes(parts_.log_dir, batch.name);
      if (!RemoveBatchFolder(parts_.log_dir, batch.name).ok()) {
        removed.kept.push_back(batch);
        continue;
      }
      drops.push_back(DropBatch{.batch = batch.id});
      ++removed.pruned.batches;
      removed.pruned.bytes += bytes;
    }
    Post([this, batches = std::move(batches), removed = std::move(removed), drops = std::move(drops),
          done = std::move(done)]() mutable {
      Put(std::move(drops),
          [this, batches = std::move(batches), removed = std::move(removed), done = std::move(done)](base::Status status) mutable {
            for (const BatchView& batch : batches) {
              removing_.erase(batch.id);
              parts_.changes.Publish(batch.id, 0);
            }
            if (!status.ok()) return done(std::move(status).error());
            done(std::move(removed));
          });
    });
  });
}

base::Error Supervisor::Undeletable() { return {base::Code::kInternal, "the batch's files cannot be deleted"}; }

void Supervisor::Prune(std::string owner, base::Nanos older_than, bool dry_run, Callback<Pruned> done) {
  auto pruning = std::make_shared<Pruning>(Pruning{
      .owner = std::move(owner), .before = parts_.clock.Realtime() - older_than, .dry_run = dry_run, .done = std::move(done)});
  cleaner_.Post([this, pruning = std::move(pruning)] { PruneSlice(pruning); });
}

void Supervisor::PruneSlice(const std::shared_ptr<Pruning>& pruning) {
  auto read = [&]() -> base::Result<std::vector<BatchView>> {
    JOBD_ASSIGN_OR_RETURN(const auto lease, parts_.store.Read());
    return lease->EndedBefore(pruning->owner, pruning->before, pruning->after, kPrunedAtOnce);
  };
  auto ended = read();
  if (!ended.ok()) return pruning->done(std::move(ended).error());
  if (ended->empty()) {
    if (pruning->failure && pruning->pruned.batches == 0) return pruning->done(*pruning->failure);
    return pruning->done(pruning->pruned);
  }
  pruning->after = {.ended_at = ended->back().ended_at, .id = ended->back().id};
  if (!pruning->dry_run) {
    Post([this, pruning, batches = std::move(*ended)]() mutable { RemoveSlice(pruning, std::move(batches)); });
    return;
  }
  for (const BatchView& batch : *ended) {
    ++pruning->pruned.batches;
    pruning->pruned.bytes += BatchFolderBytes(parts_.log_dir, batch.name);
  }
  // Behind what others want deleted meanwhile.
  cleaner_.Post([this, pruning] { PruneSlice(pruning); });
}

void Supervisor::RemoveSlice(const std::shared_ptr<Pruning>& pruning, std::vector<BatchView> batches) {
  // It may have been retried since it was found.
  std::erase_if(batches, [&](const BatchView& batch) {
    const auto now = reader().Batch(batch.id);
    return !now.ok() || !IsOver(*now) || now->ended_at >= pruning->before || removing_.contains(batch.id);
  });
  RemoveFolders(std::move(batches), [this, pruning](base::Result<Removed> removed) {
    if (removed.ok()) {
      pruning->pruned.batches += removed->pruned.batches;
      pruning->pruned.bytes += removed->pruned.bytes;
      if (!removed->kept.empty()) pruning->failure = Undeletable();
    } else if (!pruning->failure) {
      pruning->failure = std::move(removed).error();
    }
    RetainSoon();  // what is kept has changed
    cleaner_.Post([this, pruning] { PruneSlice(pruning); });
  });
}

}  // namespace jobd::worker
