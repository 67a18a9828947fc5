// Compression of what has ended. Like retention it is found and done on the thread `clean`, slice by slice, so that deletions get
// their turn; whether a batch may be touched is decided on the loop, which keeps its jobs from being started meanwhile.
#include "worker/keep/stream_compress.h"

#include <algorithm>
#include <cerrno>
#include <limits>

#include "worker/run/supervisor.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

constexpr uint32_t kBatchesAtOnce = 64;
// A slice ends behind the job that makes it so large. A retry of one of its batches waits for it.
constexpr uint64_t kBytesAtOnce = 64ull << 20;
constexpr uint32_t kJobsAtOnce = 1024;

StoreReader::EndedPlace PlaceOf(const BatchView& batch) { return {.ended_at = batch.ended_at, .id = batch.id}; }

bool SamePlace(const StoreReader::EndedPlace& one, const StoreReader::EndedPlace& other) {
  return one.ended_at == other.ended_at && one.id == other.id;
}

// Not of this file alone: the disk's trouble, or the end of this process.
bool MayPass(const base::Error& error) {
  return error.code() == base::Code::kResourceExhausted || error.code() == base::Code::kCancelled || error.sys_errno() == EROFS;
}

}  // namespace

base::Result<std::vector<BatchView>> Supervisor::FindCompressible(StoreReader& store, const Retention& rules, base::Nanos now,
                                                                  std::optional<base::Nanos>& next) {
  if (rules.compress_after == 0) return std::vector<BatchView>();
  JOBD_ASSIGN_OR_RETURN(auto due, store.EndedBefore("", now - rules.compress_after, compress_place_.done, kBatchesAtOnce));
  if (!due.empty()) return due;
  JOBD_ASSIGN_OR_RETURN(const auto later, store.EndedBefore("", std::numeric_limits<int64_t>::max(), compress_place_.done, 1));
  if (!later.empty()) next = later.front().ended_at + rules.compress_after;
  return due;
}

void Supervisor::Compress(const std::shared_ptr<Retaining>& pass, std::vector<BatchView> batches) {
  // A long history to compress does not hold up new rules.
  pass->rules = limits_.retention;
  pass->min_free_bytes = limits_.min_free_bytes;
  std::vector<BatchView> free;
  StoreReader::EndedPlace end = compress_place_.done;
  for (BatchView& batch : batches) {
    const auto now = reader().Batch(batch.id);
    // When it has ended again it has a place of its own.
    const bool gone = !now.ok() || now->ended_at != batch.ended_at || removing_.contains(batch.id);
    if (!gone && !IsOver(*now)) {
      pass->compress_later = free.empty();
      break;
    }
    end = PlaceOf(batch);
    if (!gone) free.push_back(std::move(batch));
  }
  for (const BatchView& batch : free) compressing_.insert(batch.id);
  cleaner_.Post([this, pass, free = std::move(free), end] { CompressSlice(pass, free, end); });
}

void Supervisor::CompressSlice(const std::shared_ptr<Retaining>& pass, const std::vector<BatchView>& batches,
                               StoreReader::EndedPlace end) {
  CompressPlace& place = compress_place_;
  std::vector<Change> sizes;
  uint64_t bytes = 0;
  uint32_t jobs = 0;
  const auto full = [&] { return bytes >= kBytesAtOnce || jobs >= kJobsAtOnce; };
  const auto stop = [this] { return cleaner_.stopping(); };
  for (const BatchView& batch : batches) {
    if (!SamePlace(place.in, PlaceOf(batch))) place = {.done = place.done, .in = PlaceOf(batch)};
    const auto folder = OpenBatchFolder(parts_.log_dir, batch.name);
    while (folder.ok() && place.jobs < batch.job_count && !full() && !pass->compress_later) {
      // What is written here must not be what a running job then lacks.
      const uint64_t free_bytes = MeasureDisk(folder->get(), "log", 0).free_bytes;
      const uint64_t room = free_bytes - std::min(free_bytes, pass->min_free_bytes);
      const auto done = CompressJob(folder->get(), place.jobs + 1, room, stop);
      if (!done.ok() && MayPass(done.error())) {
        pass->compress_later = true;
        break;
      }
      // A file that cannot be read is left as it is: who reads it is told.
      if (done.ok()) {
        bytes += done->bytes;
        place.any = place.any || done->any;
      }
      ++place.jobs;
      ++jobs;
    }
    if (folder.ok() && place.jobs < batch.job_count) {
      end = place.done;
      break;
    }
    place.done = PlaceOf(batch);
    if (!place.any) continue;
    const uint64_t takes = BatchFolderBytes(parts_.log_dir, batch.name);
    if (batch.kept_bytes != static_cast<int64_t>(takes)) {
      sizes.push_back(SetKept{.batch = batch.id, .ended_at = batch.ended_at, .bytes = takes});
    }
  }
  place.done = end;
  Post([this, pass, batches, sizes = std::move(sizes)]() mutable {
    for (const BatchView& batch : batches) compressing_.erase(batch.id);
    Put(std::move(sizes), [this, pass](const base::Status& status) {
      if (!status.ok()) pass->compress_later = true;
      cleaner_.Post([this, pass] { RetainSlice(pass); });
    });
  });
}

}  // namespace jobd::worker
