#include "worker/keep/retention_pass.h"

#include <algorithm>
#include <utility>

#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

constexpr uint32_t kBatchesPerSlice = 64;
// The wall clock may be set, of which nothing tells us.
constexpr base::Nanos kLongestSleep = 3600 * base::kNanosPerSecond;
// After the disk failed us.
constexpr base::Nanos kTryAgain = 60 * base::kNanosPerSecond;

}  // namespace

void RetentionPass::Continue() {
  const base::Nanos now = parts_.now();
  const auto step = [&]() -> base::Status {
    JOBD_ASSIGN_OR_RETURN(const auto reader, parts_.store.Read<RetentionReader>());
    JOBD_ASSIGN_OR_RETURN(const bool under_way, Step(*reader, now));
    return under_way ? base::Ok() : Finish(*reader, now);
  };
  if (!step().ok()) GiveUp();
}

base::Result<bool> RetentionPass::Step(RetentionReader& reader, base::Nanos now) {
  // What is not measured is not counted, so this comes first; and what is deleted need not be compressed.
  JOBD_ASSIGN_OR_RETURN(const bool measuring, Measure(reader));
  if (measuring) return true;
  JOBD_ASSIGN_OR_RETURN(const bool removing, RemoveExpired(reader, now));
  if (removing) return true;
  return Compress(reader, now);
}

base::Result<bool> RetentionPass::Measure(RetentionReader& reader) {
  JOBD_ASSIGN_OR_RETURN(const auto unmeasured, reader.Unmeasured(kBatchesPerSlice));
  if (unmeasured.empty()) return false;
  std::vector<Change> sizes;
  for (const BatchView& batch : unmeasured) {
    const uint64_t bytes = BatchFolderBytes(parts_.log_dir, batch.name);
    sizes.push_back(SetKept{.batch = batch.id, .ended_at = batch.ended_at, .bytes = bytes});
  }
  parts_.loans.Commit(std::move(sizes), [self = shared_from_this()](const base::Status& status) {
    if (!status.ok()) return self->GiveUp();
    self->Continue();
  });
  return true;
}

base::Result<bool> RetentionPass::RemoveExpired(RetentionReader& reader, base::Nanos now) {
  JOBD_ASSIGN_OR_RETURN(auto expired, FindExpired(reader, rules_.retention, excluded_, now, kBatchesPerSlice));
  next_expiry_ = expired.next_expiry;
  if (expired.batches.empty()) return false;
  parts_.remover.RemoveSlice(std::move(expired.batches),
                             [self = shared_from_this()](base::Result<Removed> removed) { self->OnRemoved(std::move(removed)); });
  return true;
}

void RetentionPass::OnRemoved(base::Result<Removed> removed) {
  if (!removed.ok()) return GiveUp();
  undeletable_ += removed->undeletable.size();
  for (auto* const left : {&removed->undeletable, &removed->busy, &removed->gone}) {
    for (BatchView& batch : *left) excluded_.emplace(batch.id, std::move(batch));
  }
  ContinueLater();
}

base::Result<bool> RetentionPass::Compress(RetentionReader& reader, base::Nanos now) {
  next_compress_.reset();
  if (compress_later_) return false;
  JOBD_ASSIGN_OR_RETURN(auto due, parts_.compression.FindDue(reader, rules_.retention.compress_after, now));
  next_compress_ = due.next;
  if (due.batches.empty()) return false;
  // A long history to compress does not hold up new rules.
  rules_ = parts_.rules;
  parts_.compression.CompressSlice(std::move(due.batches), rules_.min_free_bytes,
                                   [self = shared_from_this()](Compression::Progress progress) {
                                     self->compress_later_ = progress == Compression::Progress::kStuck;
                                     self->ContinueLater();
                                   });
  return true;
}

base::Status RetentionPass::Finish(RetentionReader& reader, base::Nanos now) {
  KeptStatus kept{.undeletable = undeletable_};
  JOBD_ASSIGN_OR_RETURN(const auto usage, reader.RetainedUsage());
  for (const OwnerUsage& owner : usage) {
    kept.batches += owner.batches;
    kept.bytes += owner.bytes;
  }
  Result result{.kept = kept};
  const auto look_at = [&](std::optional<base::Nanos> when) {
    if (!when) return;
    const base::Nanos left = std::clamp(*when - now, base::kNanosPerMilli, kLongestSleep);
    result.next = std::min(result.next.value_or(left), left);
  };
  look_at(next_expiry_);
  look_at(next_compress_);
  if (compress_later_) look_at(now + kTryAgain);
  finished_(std::move(result));
  return base::Ok();
}

void RetentionPass::ContinueLater() {
  parts_.thread.Post([self = shared_from_this()] { self->Continue(); });
}

void RetentionPass::GiveUp() { finished_({.next = kTryAgain}); }

}  // namespace jobd::worker
