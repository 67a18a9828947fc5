// Retention by itself, and compression with it. What has to go is found and deleted on the thread `clean`, slice by slice; whether
// a batch may go is decided on the loop, which alone knows what still lives.
#include <algorithm>
#include <chrono>

#include "worker/run/supervisor.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

constexpr uint32_t kAtOnce = 64;
// Ends come in crowds: one look for all of them, and one commit of what they take.
constexpr base::Nanos kSoon = base::kNanosPerSecond / 10;
// The wall clock may be set, of which nothing tells us.
constexpr base::Nanos kLongestSleep = 3600 * base::kNanosPerSecond;
// After the disk failed us.
constexpr base::Nanos kTryAgain = 60 * base::kNanosPerSecond;

}  // namespace

void Supervisor::RetainSoon() {
  if (retaining_) {
    retain_again_ = true;
  } else if (!retain_soon_) {
    retain_soon_ = true;
    RetainIn(kSoon);
  }
}

void Supervisor::RetainIn(base::Nanos delay) {
  retention_timer_.expires_after(std::chrono::nanoseconds(delay));
  retention_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) Retain();
  });
}

void Supervisor::Retain() {
  retain_soon_ = false;
  if (retaining_) {
    retain_again_ = true;
    return;
  }
  retaining_ = true;
  auto pass = std::make_shared<Retaining>(Retaining{.rules = limits_.retention});
  cleaner_.Post([this, pass = std::move(pass)] { RetainSlice(pass); });
}

void Supervisor::RetainSlice(const std::shared_ptr<Retaining>& pass) {
  const auto fail = [&] { Post([this, pass] { FinishRetaining(*pass, kTryAgain); }); };
  auto lease = parts_.store.Read();
  if (!lease.ok()) return fail();
  StoreReader& store = **lease;
  const auto unmeasured = store.Unmeasured(kAtOnce);
  if (!unmeasured.ok()) return fail();
  if (!unmeasured->empty()) {
    std::vector<Change> sizes;
    for (const BatchView& batch : *unmeasured) {
      sizes.push_back(
          SetKept{.batch = batch.id, .ended_at = batch.ended_at, .bytes = BatchFolderBytes(parts_.log_dir, batch.name)});
    }
    Post([this, pass, sizes = std::move(sizes)]() mutable {
      Put(std::move(sizes), [this, pass](const base::Status& status) {
        if (!status.ok()) return FinishRetaining(*pass, kTryAgain);
        cleaner_.Post([this, pass] { RetainSlice(pass); });
      });
    });
    return;
  }
  // A wall clock that is set ten years on must not delete ten years' worth: what counts is time that we have seen pass.
  const base::Nanos now = std::min(parts_.clock.Realtime(), wall_at_zero_ + parts_.clock.Monotonic());
  auto doomed = FindDoomed(store, pass->rules, pass->spared, now, kAtOnce);
  if (!doomed.ok()) return fail();
  if (!doomed->batches.empty()) {
    Post([this, pass, batches = std::move(doomed->batches)]() mutable { RetainRemove(pass, std::move(batches)); });
    return;
  }
  std::optional<base::Nanos> next_compress;
  if (!pass->compress_later) {
    auto batches = FindCompressible(store, pass->rules, now, next_compress);
    if (!batches.ok()) return fail();
    if (!batches->empty()) {
      Post([this, pass, found = std::move(*batches)]() mutable { Compress(pass, std::move(found)); });
      return;
    }
  }
  const auto kept = store.Kept();
  if (!kept.ok()) return fail();
  for (const KeptRow& row : *kept) {
    pass->kept.batches += row.batches;
    pass->kept.bytes += row.bytes;
  }
  std::optional<base::Nanos> next;
  const auto look_at = [&](std::optional<base::Nanos> when) {
    if (!when) return;
    const base::Nanos left = std::clamp(*when - now, base::kNanosPerMilli, kLongestSleep);
    next = std::min(next.value_or(left), left);
  };
  look_at(doomed->next_expiry);
  look_at(next_compress);
  if (pass->compress_later) look_at(now + kTryAgain);
  Post([this, pass, next] { FinishRetaining(*pass, next); });
}

void Supervisor::RetainRemove(const std::shared_ptr<Retaining>& pass, std::vector<BatchView> batches) {
  std::erase_if(batches, [&](const BatchView& batch) {
    // It may have been retried since it was found. When it has ended again, that is another pass.
    const auto now = reader().Batch(batch.id);
    if (now.ok() && IsOver(*now) && now->ended_at == batch.ended_at && !removing_.contains(batch.id)) return false;
    pass->spared.emplace(batch.id, batch);
    return true;
  });
  RemoveFolders(std::move(batches), [this, pass](base::Result<Removed> removed) {
    if (!removed.ok()) return FinishRetaining(*pass, kTryAgain);
    for (BatchView& batch : removed->kept) {
      ++pass->kept.undeletable;
      pass->spared.emplace(batch.id, std::move(batch));
    }
    cleaner_.Post([this, pass] { RetainSlice(pass); });
  });
}

void Supervisor::FinishRetaining(const Retaining& pass, std::optional<base::Nanos> next) {
  retaining_ = false;
  {
    const std::lock_guard lock(status_mutex_);
    status_.kept = pass.kept;
    status_.kept.rule = limits_.retention.all;
    status_.kept.own_rules = limits_.retention.owners.size();
  }
  if (std::exchange(retain_again_, false)) return RetainSoon();
  if (next) RetainIn(*next);
}

}  // namespace jobd::worker
