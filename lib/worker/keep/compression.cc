#include "worker/keep/compression.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "worker/keep/stream_compress.h"
#include "worker/store/batch_files.h"
#include "worker/store/disk_gauge.h"

namespace jobd::worker {
namespace {

constexpr uint32_t kBatchesPerSlice = 64;
// A slice ends behind the job that makes it so large. A retry of one of its batches waits for it.
constexpr uint64_t kBytesPerSlice = 64ull << 20;
constexpr uint32_t kJobsPerSlice = 1024;

// The trouble is not this file's: it is the disk's, or this process is about to end.
bool MayPass(const base::Error& error) {
  return error.code() == base::Code::kResourceExhausted || error.code() == base::Code::kCancelled || error.sys_errno() == EROFS;
}

}  // namespace

bool Compression::Slice::IsFull() const { return bytes >= kBytesPerSlice || jobs >= kJobsPerSlice; }

base::Result<Compression::Due> Compression::FindDue(RetentionReader& reader, base::Nanos compress_after, base::Nanos now) const {
  Due due;
  if (compress_after == 0) return due;
  JOBD_ASSIGN_OR_RETURN(due.batches, reader.EndedBefore("", now - compress_after, done_, kBatchesPerSlice));
  if (!due.batches.empty()) return due;
  JOBD_ASSIGN_OR_RETURN(const auto later, reader.EndedBefore("", std::numeric_limits<int64_t>::max(), done_, 1));
  if (!later.empty()) due.next = later.front().ended_at + compress_after;
  return due;
}

void Compression::CompressSlice(std::vector<BatchView> batches, uint64_t min_free_bytes, std::function<void(Progress)> done) {
  auto with_answers = [this, batches, min_free_bytes, done = std::move(done)](const Loans::Answers& answers) {
    Slice slice{.min_free_bytes = min_free_bytes};
    bool any_lent = false;
    for (size_t i = 0; i < batches.size(); ++i) {
      if (answers[i] == Lending::kBusy) {
        // Its turn comes before that of those behind it. When it is the first, it takes time.
        slice.stuck = !any_lent;
        break;
      }
      any_lent = any_lent || answers[i] == Lending::kLent;
      // One that ended anew has a place of its own.
      if (answers[i] == Lending::kLent && !CompressBatch(batches[i], slice)) break;
      done_ = PlaceOf(batches[i]);
    }
    loans_.GiveBack(std::move(slice.sizes), [done, stuck = slice.stuck](const base::Status& status) {
      done(stuck || !status.ok() ? Progress::kStuck : Progress::kDone);
    });
  };
  loans_.Borrow(batches, BatchUse::kCompression, std::move(with_answers));
}

bool Compression::CompressBatch(const BatchView& batch, Slice& slice) {
  if (begun_ != PlaceOf(batch)) {
    begun_ = PlaceOf(batch);
    jobs_done_ = 0;
    any_ = false;
  }
  const auto stop = [this] { return thread_->stopping(); };
  const auto folder = OpenBatchFolder(log_dir_, batch.name);
  while (folder.ok() && jobs_done_ < batch.job_count && !slice.IsFull()) {
    // What is written here must not be what a running job then lacks.
    const uint64_t free_bytes = FreeBytes(folder->get());
    const uint64_t room = free_bytes - std::min(free_bytes, slice.min_free_bytes);
    const auto compressed = CompressJob(folder->get(), jobs_done_ + 1, room, stop);
    if (!compressed.ok() && MayPass(compressed.error())) {
      slice.stuck = true;
      break;
    }
    // A file that cannot be read is left as it is: who reads it is told.
    if (compressed.ok()) {
      slice.bytes += compressed->bytes;
      any_ = any_ || compressed->any;
    }
    ++jobs_done_;
    ++slice.jobs;
  }
  if (folder.ok() && jobs_done_ < batch.job_count) return false;
  if (!any_) return true;
  const uint64_t bytes = BatchFolderBytes(log_dir_, batch.name);
  if (batch.kept_bytes != static_cast<int64_t>(bytes)) {
    slice.sizes.push_back(SetKept{.batch = batch.id, .ended_at = batch.ended_at, .bytes = bytes});
  }
  return true;
}

}  // namespace jobd::worker
