#include "worker/keep/maintenance.h"

#include <algorithm>
#include <utility>

#include "worker/keep/prune.h"
#include "worker/keep/stream_compress.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

// Ends come in crowds: one look for all of them, and one commit of what they take.
constexpr base::Nanos kSoon = base::kNanosPerSecond / 10;

}  // namespace

Maintenance::Maintenance(Parts parts, Retention retention, uint64_t min_free_bytes)
    : parts_(parts),
      wall_at_zero_(parts.clock.Realtime() - parts.clock.Monotonic()),
      rules_{.retention = std::move(retention), .min_free_bytes = min_free_bytes},
      loans_(parts.lender, thread_),
      remover_(parts.log_dir, loans_),
      compression_(parts.log_dir, thread_, loans_) {}

Maintenance::~Maintenance() { Shutdown(); }

void Maintenance::Begin() {
  thread_->Post([this] { Look(); });
  thread_->Start();
}

void Maintenance::Shutdown() { thread_->Shutdown(); }

void Maintenance::Remove(BatchView batch, Callback<bool> done) {
  thread_->Post([this, batch = std::move(batch), done = std::move(done)] {
    RemoveOne(remover_, parts_.store, batch, [this, done](base::Result<bool> removed) {
      OnBatchEnded();  // what is kept has changed
      done(std::move(removed));
    });
  });
}

void Maintenance::Prune(std::string owner, base::Nanos older_than, bool dry_run, Callback<Pruned> done) {
  auto prune = std::make_shared<worker::Prune>(
      worker::Prune::Parts{.store = parts_.store,
                           .log_dir = parts_.log_dir,
                           .thread = *thread_,
                           .remover = remover_,
                           .on_removed = [this] { OnBatchEnded(); }},
      worker::Prune::Request{
          .owner = std::move(owner), .before = parts_.clock.Realtime() - older_than, .dry_run = dry_run, .done = std::move(done)});
  thread_->Post([prune = std::move(prune)] { prune->Continue(); });
}

void Maintenance::SetRules(Retention retention, uint64_t min_free_bytes) {
  thread_->Post([this, rules = KeepRules{.retention = std::move(retention), .min_free_bytes = min_free_bytes}] { rules_ = rules; });
  OnBatchEnded();
}

bool Maintenance::IsCompressed(const BatchName& batch, uint32_t index) {
  const auto folder = OpenBatchFolder(parts_.log_dir, batch);
  return folder.ok() && HasCompressed(folder->get(), index);
}

void Maintenance::Expand(launch::JobKey key, BatchName batch, std::function<void(base::Status)> done) {
  thread_->Post([this, key, batch = std::move(batch), done = std::move(done)] {
    const auto folder = OpenBatchFolder(parts_.log_dir, batch);
    if (!folder.ok()) return done(folder.error());
    done(ExpandJob(folder->get(), key.index, [this] { return thread_->stopping(); }));
  });
}

void Maintenance::OnBatchEnded() {
  if (!look_wanted_.exchange(true)) thread_->Post([this] { LookSoon(); });
}

void Maintenance::LookSoon() {
  if (!looking_) thread_->SetTimer(kSoon, [this] { Look(); });  // otherwise OnLooked sees that another look is wanted
}

base::Nanos Maintenance::Now() const { return std::min(parts_.clock.Realtime(), wall_at_zero_ + parts_.clock.Monotonic()); }

void Maintenance::Look() {
  looking_ = true;
  look_wanted_ = false;
  const auto pass = std::make_shared<RetentionPass>(RetentionPass::Parts{.store = parts_.store,
                                                                         .log_dir = parts_.log_dir,
                                                                         .thread = *thread_,
                                                                         .loans = loans_,
                                                                         .remover = remover_,
                                                                         .compression = compression_,
                                                                         .rules = rules_,
                                                                         .now = [this] { return Now(); }},
                                                    [this](const RetentionPass::Result& result) { OnLooked(result); });
  pass->Continue();
}

void Maintenance::OnLooked(const RetentionPass::Result& result) {
  looking_ = false;
  {
    const auto kept = kept_.Lock();
    if (result.kept) *kept = *result.kept;
    kept->rule = rules_.retention.all;
    kept->own_rules = rules_.retention.owners.size();
  }
  if (look_wanted_) return LookSoon();
  if (result.next) thread_->SetTimer(*result.next, [this] { Look(); });
}

}  // namespace jobd::worker
