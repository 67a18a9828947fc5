#include "worker/keep/prune.h"

#include <utility>

#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

// The loop looks at so many batches at a time, and one commit drops them.
constexpr uint32_t kBatchesPerSlice = 64;

}  // namespace

void Prune::Continue() {
  auto ended = FindNext();
  if (!ended.ok()) return request_.done(std::move(ended).error());
  if (ended->empty()) {
    if (failure_ && pruned_.batches == 0) return request_.done(*failure_);
    return request_.done(pruned_);
  }
  after_ = {.ended_at = ended->back().ended_at, .id = ended->back().id};
  if (!request_.dry_run) {
    return parts_.remover.RemoveSlice(
        std::move(*ended), [self = shared_from_this()](base::Result<Removed> removed) { self->OnRemoved(std::move(removed)); });
  }
  for (const BatchView& batch : *ended) {
    ++pruned_.batches;
    pruned_.bytes += BatchFolderBytes(parts_.log_dir, batch.name);
  }
  ContinueLater();
}

base::Result<std::vector<BatchView>> Prune::FindNext() {
  JOBD_ASSIGN_OR_RETURN(const auto reader, parts_.store.Read<RetentionReader>());
  return reader->EndedBefore(request_.owner, request_.before, after_, kBatchesPerSlice);
}

void Prune::OnRemoved(base::Result<Removed> removed) {
  if (removed.ok()) {
    pruned_.batches += removed->pruned.batches;
    pruned_.bytes += removed->pruned.bytes;
    if (!removed->undeletable.empty()) failure_ = Undeletable(removed->why);
  } else if (!failure_) {
    failure_ = std::move(removed).error();
  }
  parts_.on_removed();
  ContinueLater();
}

void Prune::ContinueLater() {
  parts_.thread.Post([self = shared_from_this()] { self->Continue(); });
}

}  // namespace jobd::worker
