// Why a job waits, as far as the queue knows.
#include <algorithm>
#include <utility>

#include "worker/plan/queue.h"

namespace jobd::worker {

Queue::Place Queue::PlaceOf(uint64_t batch, const std::vector<uint32_t>& indexes) const {
  Place place;
  place.jobs.resize(indexes.size());
  const auto found = batches_.find(batch);
  if (found == batches_.end()) return place;
  const Entry& entry = found->second;
  const Owner& owner = *entry.owner;
  place.parallel = entry.parallel;
  place.running = entry.running;
  place.max_running = owner.max_running;
  place.owner_running = owner.running;
  LookFor(entry, indexes, place);

  // The owner's batches that come before this one, counted from whichever end is nearer.
  const auto& ready = owner.ready[entry.level];
  const auto here = ready.lower_bound(batch);
  auto forward = ready.begin();
  auto backward = here;
  uint64_t before = 0;
  uint64_t behind = 0;
  for (; forward != here && backward != ready.end() && place.steps < kMaxPlaceSteps; ++place.steps) {
    before += batches_.at(*forward++).startable;
    behind += batches_.at(*backward++).startable;
  }
  const bool exact = forward == here || backward == ready.end();
  if (forward != here && exact) before = owner.startable[entry.level] - behind;
  for (Place::Job& job : place.jobs) {
    if (!job.queued || job.held) continue;
    job.before += before;
    job.exact = job.exact && exact;
  }
  CountOthers(owner, entry.level, place.jobs);
  return place;
}

// Finds out which jobs are queued, and how many of the same batch come before each.
void Queue::LookFor(const Entry& entry, const std::vector<uint32_t>& indexes, Place& place) {
  static const Exceptions kNone;
  const Exceptions& exceptions = entry.exceptions ? *entry.exceptions : kNone;
  // Counts what is below, as far as it gets.
  struct Below {
    const std::set<uint32_t>& of;
    std::set<uint32_t>::const_iterator next = of.begin();
    uint64_t count = 0;
    // True: all of them.
    bool CountTo(uint32_t index, uint32_t& steps) {
      for (; next != of.end() && *next < index; ++next, ++count) {
        if (steps >= kMaxPlaceSteps) return false;
        ++steps;
      }
      return true;
    }
  };
  Below ready{exceptions.ready};
  Below skipped{exceptions.skipped};
  for (size_t i = 0; i < indexes.size(); ++i) {
    const uint32_t index = indexes[i];
    Place::Job& job = place.jobs[i];
    if (exceptions.ready.contains(index)) {
      job.queued = true;
      job.exact = ready.CountTo(index, place.steps);
      job.before = ready.count;
    } else if (exceptions.held.contains(index)) {
      job = {.queued = true, .held = true};
    } else if (index >= entry.next && index <= entry.job_count && !exceptions.skipped.contains(index)) {
      job = {.queued = true, .held = entry.held};
      if (entry.held) continue;
      job.exact = skipped.CountTo(index, place.steps);
      // Of those that were not counted, all may be below; and one less, so that there are more.
      const uint64_t uncounted = job.exact ? 0 : exceptions.skipped.size() - skipped.count + 1;
      const uint64_t in_line = uint64_t{index} - entry.next - skipped.count;
      job.before = exceptions.ready.size() + in_line - std::min(in_line, uncounted);
    }
  }
}

// Adds what other owners start before. Within a class they take turns: before an owner's job with n of their own before it, each
// other starts n, and one more if it is nearer to its turn.
void Queue::CountOthers(const Owner& owner, size_t level, std::vector<Place::Job>& jobs) const {
  uint64_t classes_before = 0;
  for (size_t above = 0; above < level; ++above) {
    for (const Owner* const other : turns_[above]) classes_before += other->startable[above];
  }
  struct Other {
    uint64_t most = 0;       // own jobs before it beyond which this owner adds no more
    uint64_t startable = 0;  // what it adds then
    uint64_t ahead = 0;      // 1: nearer to its turn
  };
  std::vector<Other> others;
  // One that is at its bound has no turn.
  uint64_t ahead = owner.listed[level] ? 1 : 0;
  for (const Owner* const other : turns_[level]) {
    if (other == &owner) {
      ahead = 0;
      continue;
    }
    if (!owner.listed[level]) break;
    const uint64_t startable = other->startable[level];
    if (startable > 0) others.push_back({.most = startable - std::min(ahead, startable), .startable = startable, .ahead = ahead});
  }
  std::sort(others.begin(), others.end(), [](const Other& one, const Other& two) { return one.most < two.most; });
  // For each prefix of them: what these add at most, and how many of the rest are nearer to their turns.
  std::vector<std::pair<uint64_t, uint64_t>> sums(others.size() + 1);
  for (size_t i = 0; i < others.size(); ++i) sums[i + 1].first = sums[i].first + others[i].startable;
  for (size_t i = others.size(); i > 0; --i) sums[i - 1].second = sums[i].second + others[i - 1].ahead;
  for (Place::Job& job : jobs) {
    if (!job.queued || job.held) continue;
    const auto rest = std::upper_bound(others.begin(), others.end(), job.before,
                                       [](uint64_t before, const Other& other) { return before < other.most; });
    const auto spent = static_cast<size_t>(rest - others.begin());
    job.before += classes_before + sums[spent].first + sums[spent].second + (others.size() - spent) * job.before;
  }
}

}  // namespace jobd::worker
