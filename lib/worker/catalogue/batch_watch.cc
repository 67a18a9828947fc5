#include "worker/catalogue/batch_watch.h"

#include <algorithm>

#include "worker/catalogue/query.h"

namespace jobd::worker {
namespace {

constexpr size_t kJobsPerUpdate = 1000;
constexpr base::Nanos kPace = 50 * base::kNanosPerMilli;
constexpr base::Nanos kBurst = 16 * kPace;

class StoreWatch final : public BatchWatch {
 public:
  StoreWatch(Store& store, const LiveOverlay& live, ChangeBus& changes, FileWatcher& watcher, uint64_t batch)
      : store_(store), live_(live), watcher_(watcher), batch_(batch), subscription_(changes.Subscribe(batch, waker_)) {}
  ~StoreWatch() override { waker_->Disarm(); }

  base::Result<std::optional<WatchUpdate>> Next() override {
    waker_->Clear();
    subscription_->SetQuiet(false);
    if (finished_) return std::optional<WatchUpdate>();
    const bool at_once = subscription_->TakeBatch() || first_;
    early_ = !at_once && clock_.Monotonic() < paid_until_ - kBurst;
    if (early_) return std::optional<WatchUpdate>();
    const auto changed = subscription_->Take(kJobsPerUpdate);
    if (changed.size() == kJobsPerUpdate) waker_->Notify();  // there may be more
    WatchUpdate update;
    const auto running = live_.Of(batch_);
    JOBD_ASSIGN_OR_RETURN(auto reader, store_.Read<CatalogueReader>());
    JOBD_ASSIGN_OR_RETURN(update.batch, reader->Batch(batch_));
    JOBD_RETURN_IF_ERROR(OverlayCounts(*reader, running, update.batch));
    const std::vector<uint32_t> wanted = first_ ? LiveOnes(*reader) : changed;
    for (const uint32_t index : wanted) {
      JOBD_ASSIGN_OR_RETURN(auto jobs, reader->Jobs(batch_, JobFilter{.index = index}));
      for (JobRecord& job : jobs) {
        Overlay(running, job.view);
        update.jobs.push_back(std::move(job.view));
      }
    }
    finished_ = update.finished = update.batch.ended_at != 0 && changed.size() < kJobsPerUpdate;
    const bool same = !first_ && update.jobs.empty() && update.batch.counts == counts_ && !finished_;
    first_ = false;
    counts_ = update.batch.counts;
    if (same) return std::optional<WatchUpdate>();
    paid_until_ = std::max(paid_until_, clock_.Monotonic()) + kPace;
    return std::optional<WatchUpdate>(std::move(update));
  }

  void Arm(std::function<void()> wake) override {
    if (early_) {
      timer_ = watcher_.WakeAfter(paid_until_ - kBurst - clock_.Monotonic(), [waker = waker_] { waker->Notify(); });
      subscription_->SetQuiet(true);
    }
    waker_->Arm(std::move(wake));
  }

 private:
  std::vector<uint32_t> LiveOnes(CatalogueReader& reader) const {
    std::vector<uint32_t> indexes;
    const auto rows = reader.Live(batch_);
    if (!rows.ok()) return indexes;  // the batch itself says what matters
    for (const LiveRow& row : *rows) {
      if (indexes.size() < kJobsPerUpdate) indexes.push_back(row.index);
    }
    return indexes;
  }

  Store& store_;
  const LiveOverlay& live_;
  FileWatcher& watcher_;
  const base::SystemClock clock_;
  const uint64_t batch_;
  const std::shared_ptr<Waker> waker_ = std::make_shared<Waker>();
  const std::shared_ptr<Subscription> subscription_;
  std::map<JobState, uint32_t> counts_;
  base::Nanos paid_until_ = 0;  // a bucket that leaks one update in kPace, and holds kBurst
  std::unique_ptr<WakeTimer> timer_;
  bool early_ = false;
  bool first_ = true;
  bool finished_ = false;
};

}  // namespace

base::Result<std::unique_ptr<BatchWatch>> OpenBatchWatch(Store& store, const LiveOverlay& live, ChangeBus& changes,
                                                         FileWatcher& watcher, const BatchName& batch) {
  JOBD_ASSIGN_OR_RETURN(auto reader, store.Read<CatalogueReader>());
  JOBD_ASSIGN_OR_RETURN(const uint64_t id, reader->Find(batch, true));
  return std::unique_ptr<BatchWatch>(std::make_unique<StoreWatch>(store, live, changes, watcher, id));
}

}  // namespace jobd::worker
