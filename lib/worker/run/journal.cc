#include "worker/run/journal.h"

#include <utility>

namespace jobd::worker {
namespace {

constexpr base::Nanos kOfferAgain = base::kNanosPerSecond;

}  // namespace

void Journal::Append(std::vector<Change> changes, std::function<void(base::Status)> done) {
  outbox_.push_back(Write{.changes = std::move(changes), .done = [this, done = std::move(done)](base::Status status) mutable {
                            if (!done) return;
                            loop_.Post([done = std::move(done), status = std::move(status)]() mutable { done(std::move(status)); });
                          }});
  if (flush_posted_) return;
  flush_posted_ = true;
  // Behind what this turn still does: the end of a job and the start of the next travel together.
  loop_.Post([this] {
    flush_posted_ = false;
    if (outbox_.empty()) return;
    // Who waits for the log disk may wait for long, and is before us.
    if (loop_.IsAsideWithLogDisk()) return store_.Apply(std::exchange(outbox_, {}));
    if (auto commit = store_.BeginApply(std::exchange(outbox_, {}))) loop_.Aside(std::move(commit));
  });
}

void Journal::Flush() {
  if (!outbox_.empty()) store_.Apply(std::exchange(outbox_, {}));
}

void Journal::AppendRow(launch::JobKey key, JobRow row, std::function<void()> saved) {
  Unsaved& unsaved = unsaved_[key];
  unsaved.row = std::move(row);
  unsaved.saved = std::move(saved);
  Offer(key, unsaved);
}

void Journal::Offer(launch::JobKey key, Unsaved& unsaved) {
  ++unsaved.commits_in_flight;
  Append({PutJob{.batch = key.batch, .index = key.index, .row = unsaved.row}},
         [this, key](const base::Status& status) { OnRowCommitted(key, status); });
}

void Journal::OnRowCommitted(launch::JobKey key, const base::Status& status) {
  const auto found = unsaved_.find(key);
  if (found == unsaved_.end()) return;
  if (--found->second.commits_in_flight > 0) return;  // a later one says more
  if (status.ok()) {
    const auto saved = std::move(found->second.saved);
    unsaved_.erase(found);
    return saved();
  }
  if (offering_later_) return;
  offering_later_ = true;
  loop_.After(kOfferAgain, [this] { OfferAgain(); });
}

void Journal::OfferAgain() {
  offering_later_ = false;
  for (auto& [key, unsaved] : unsaved_) {
    if (unsaved.commits_in_flight == 0) Offer(key, unsaved);
  }
}

}  // namespace jobd::worker
