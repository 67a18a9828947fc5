#include "worker/keep/removal.h"

#include <utility>

#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

// The batch as it is now. kNotFound: there is none.
base::Result<BatchView> ReadBatch(Store& store, uint64_t batch) {
  JOBD_ASSIGN_OR_RETURN(const auto reader, store.Read<RetentionReader>());
  return reader->Batch(batch);
}

}  // namespace

base::Error Undeletable(const std::string& why) {
  return {base::Code::kUnavailable, "the log disk does not let the batch's files go (" + why +
                                        "), so the batch stays: remove it again when that has been put right"};
}

void Remover::RemoveSlice(std::vector<BatchView> batches, Callback<Removed> done) {
  const auto removed = std::make_shared<Removed>();
  const auto with_answers = [this, batches, removed, done = std::move(done)](const Loans::Answers& answers) {
    std::vector<Change> drops;
    for (size_t i = 0; i < batches.size(); ++i) {
      const BatchView& batch = batches[i];
      if (answers[i] != Lending::kLent) {
        (answers[i] == Lending::kBusy ? removed->busy : removed->gone).push_back(batch);
        continue;
      }
      const uint64_t bytes = BatchFolderBytes(log_dir_, batch.name);
      // Files go first: when this is cut short, the batch is still there to be removed again.
      if (const base::Status deleted = RemoveBatchFolder(log_dir_, batch.name); !deleted.ok()) {
        removed->why = deleted.error().message();
        removed->undeletable.push_back(batch);
        continue;
      }
      drops.push_back(DropBatch{.batch = batch.id});
      ++removed->pruned.batches;
      removed->pruned.bytes += bytes;
    }
    loans_.GiveBack(std::move(drops), [removed, done](const base::Status& status) {
      if (!status.ok()) return done(status.error());
      done(std::move(*removed));
    });
  };
  loans_.Borrow(batches, BatchUse::kRemoval, with_answers);
}

void RemoveOne(Remover& remover, Store& store, BatchView batch, Callback<bool> done) {
  remover.RemoveSlice({batch}, [&remover, &store, batch, done = std::move(done)](const base::Result<Removed>& removed) {
    if (!removed.ok()) return done(removed.error());
    if (!removed->undeletable.empty()) return done(Undeletable(removed->why));
    if (!removed->busy.empty())
      return done(base::Error(base::Code::kFailedPrecondition, "the batch has not ended; cancel it first, or wait for its end"));
    if (removed->gone.empty()) return done(true);
    // It was retried and has ended anew since it was found: the client means the batch, not one of its ends.
    auto now = ReadBatch(store, batch.id);
    if (!now.ok()) return done(std::move(now).error());
    if (now->ended_at == batch.ended_at) return done(base::Error(base::Code::kNotFound, "no such batch"));
    RemoveOne(remover, store, std::move(*now), done);
  });
}

}  // namespace jobd::worker
