#include "worker/plan/queue.h"

#include <algorithm>

namespace jobd::worker {
namespace {

uint8_t LevelOf(Priority priority) {
  switch (priority) {
    case Priority::kUrgent: return 0;
    case Priority::kLow: return 2;
    default: return 1;
  }
}

}  // namespace

Queue::Owner& Queue::OwnerOf(const std::string& name) {
  auto& owner = owners_[name];
  if (!owner) {
    owner = std::make_unique<Owner>();
    owner->name = name;
  }
  return *owner;
}

void Queue::ForgetIfIdle(Owner& owner) {
  // One with a quota is kept: its next batch need not name it again.
  if (owner.batches == 0 && owner.running == 0 && owner.queued == 0 && owner.max_running == 0) {
    const std::string name = owner.name;
    owners_.erase(name);
  }
}

Queue::Entry* Queue::Find(uint64_t batch) {
  const auto found = batches_.find(batch);
  return found == batches_.end() ? nullptr : &found->second;
}

Queue::Exceptions& Queue::ExceptionsOf(Entry& entry) {
  if (!entry.exceptions) entry.exceptions = std::make_unique<Exceptions>();
  return *entry.exceptions;
}

uint64_t Queue::CursorJobs(const Entry& entry) {
  const uint64_t range = entry.next > entry.job_count ? 0 : uint64_t{entry.job_count} - entry.next + 1;
  return range - (entry.exceptions ? entry.exceptions->skipped.size() : 0);
}

bool Queue::CanStart(const Entry& entry) {
  if (entry.parallel != 0 && entry.running >= entry.parallel) return false;
  if (entry.exceptions && !entry.exceptions->ready.empty()) return true;
  return !entry.held && CursorJobs(entry) > 0;
}

uint32_t Queue::Startable(const Entry& entry) {
  if (!CanStart(entry)) return 0;
  const uint64_t jobs = (entry.exceptions ? entry.exceptions->ready.size() : 0) + (entry.held ? 0 : CursorJobs(entry));
  const auto all = static_cast<uint32_t>(jobs);
  return entry.parallel == 0 ? all : std::min(all, entry.parallel - entry.running);
}

void Queue::Count(Entry& entry, int64_t jobs) {
  entry.owner->queued += static_cast<uint64_t>(jobs);
  queued_ += static_cast<uint64_t>(jobs);
}

void Queue::Refresh(uint64_t id, Entry& entry) {
  auto& ready = entry.owner->ready[entry.level];
  const uint32_t startable = Startable(entry);
  entry.owner->startable[entry.level] += uint64_t{startable} - entry.startable;
  entry.startable = startable;
  if (startable > 0) {
    ready.insert(id);
  } else {
    ready.erase(id);
  }
  RefreshOwner(*entry.owner, entry.level);
}

void Queue::RefreshOwner(Owner& owner, size_t level) {
  const bool may = !owner.ready[level].empty() && (owner.max_running == 0 || owner.running < owner.max_running);
  if (may == owner.listed[level]) return;
  if (may) {
    owner.place[level] = turns_[level].insert(turns_[level].end(), &owner);
  } else {
    turns_[level].erase(owner.place[level]);
  }
  owner.listed[level] = may;
}

void Queue::Advance(Entry& entry) {
  if (!entry.exceptions) return;
  auto& skipped = entry.exceptions->skipped;
  while (!skipped.empty() && *skipped.begin() <= entry.next) {
    if (*skipped.begin() == entry.next) ++entry.next;
    skipped.erase(skipped.begin());
  }
}

void Queue::Add(const Batch& batch) {
  if (Has(batch.id)) return;
  AddEmpty(batch);
  Entry& entry = batches_.at(batch.id);
  entry.next = 1;
  Count(entry, batch.job_count);
  Refresh(batch.id, entry);
}

void Queue::AddEmpty(const Batch& batch) {
  if (Has(batch.id)) return;
  Owner& owner = OwnerOf(batch.owner);
  ++owner.batches;
  batches_.emplace(batch.id, Entry{.owner = &owner,
                                   .job_count = batch.job_count,
                                   .next = batch.job_count + 1,
                                   .parallel = batch.parallel,
                                   .level = LevelOf(batch.priority),
                                   .held = batch.held});
}

void Queue::Remove(uint64_t batch) {
  Entry* const entry = Find(batch);
  if (entry == nullptr) return;
  DequeueAll(batch);
  Owner& owner = *entry->owner;
  --owner.batches;
  owner.running -= entry->running;
  batches_.erase(batch);
  for (size_t level = 0; level < 3; ++level) RefreshOwner(owner, level);
  ForgetIfIdle(owner);
}

std::optional<Queue::Pick> Queue::Next() {
  for (auto& turns : turns_) {
    if (turns.empty()) continue;
    const auto level = static_cast<size_t>(&turns - turns_.data());
    Owner& owner = *turns.front();
    turns.splice(turns.end(), turns, turns.begin());
    const uint64_t id = *owner.ready[level].begin();
    Entry& entry = batches_.at(id);
    Pick pick{.batch = id};
    if (entry.exceptions && !entry.exceptions->ready.empty()) {
      pick.index = *entry.exceptions->ready.begin();
      entry.exceptions->ready.erase(entry.exceptions->ready.begin());
    } else {
      Advance(entry);
      pick.index = entry.next++;
      pick.never_started = true;
    }
    Advance(entry);
    ++entry.running;
    ++owner.running;
    Count(entry, -1);
    Refresh(id, entry);
    for (size_t other = 0; other < 3; ++other) RefreshOwner(owner, other);
    return pick;
  }
  return std::nullopt;
}

void Queue::Done(uint64_t batch) {
  Entry* const entry = Find(batch);
  if (entry == nullptr) return;
  --entry->running;
  --entry->owner->running;
  Refresh(batch, *entry);
  for (size_t level = 0; level < 3; ++level) RefreshOwner(*entry->owner, level);
}

void Queue::Requeue(uint64_t batch, uint32_t index, bool was_running) {
  Entry* const entry = Find(batch);
  if (entry == nullptr) return;
  if (ExceptionsOf(*entry).ready.insert(index).second) Count(*entry, 1);
  if (was_running) {
    Done(batch);
  } else {
    Refresh(batch, *entry);
  }
}

void Queue::Adopt(uint64_t batch) {
  Entry* const entry = Find(batch);
  if (entry == nullptr) return;
  ++entry->running;
  ++entry->owner->running;
  Refresh(batch, *entry);
  for (size_t level = 0; level < 3; ++level) RefreshOwner(*entry->owner, level);
}

bool Queue::Dequeue(uint64_t batch, uint32_t index) {
  Entry* const entry = Find(batch);
  if (entry == nullptr || index == 0 || index > entry->job_count) return false;
  bool taken = false;
  if (entry->exceptions && (entry->exceptions->ready.erase(index) > 0 || entry->exceptions->held.erase(index) > 0)) {
    taken = true;
  } else if (index >= entry->next) {
    taken = ExceptionsOf(*entry).skipped.insert(index).second;
    Advance(*entry);
  }
  if (taken) Count(*entry, -1);
  Refresh(batch, *entry);
  return taken;
}

Queue::Waiting Queue::DequeueAll(uint64_t batch) {
  Waiting waiting;
  Entry* const entry = Find(batch);
  if (entry == nullptr) return waiting;
  waiting.count = CursorJobs(*entry);
  waiting.first = entry->next;
  waiting.last = entry->job_count;
  if (entry->exceptions) {
    waiting.skipped.assign(entry->exceptions->skipped.begin(), entry->exceptions->skipped.end());
    waiting.ready.assign(entry->exceptions->ready.begin(), entry->exceptions->ready.end());
    waiting.held.assign(entry->exceptions->held.begin(), entry->exceptions->held.end());
    entry->exceptions.reset();
  }
  waiting.count += waiting.ready.size() + waiting.held.size();
  entry->next = entry->job_count + 1;
  Count(*entry, -static_cast<int64_t>(waiting.count));
  Refresh(batch, *entry);
  return waiting;
}

void Queue::Restore(uint64_t batch, const Waiting& waiting) {
  Entry* const entry = Find(batch);
  if (entry == nullptr) return;
  entry->next = waiting.first;
  if (!waiting.skipped.empty()) ExceptionsOf(*entry).skipped.insert(waiting.skipped.begin(), waiting.skipped.end());
  if (!waiting.ready.empty()) ExceptionsOf(*entry).ready.insert(waiting.ready.begin(), waiting.ready.end());
  if (!waiting.held.empty()) ExceptionsOf(*entry).held.insert(waiting.held.begin(), waiting.held.end());
  Count(*entry, static_cast<int64_t>(waiting.count));
  Refresh(batch, *entry);
}

void Queue::SetHeld(uint64_t batch, bool held) {
  Entry* const entry = Find(batch);
  if (entry == nullptr) return;
  entry->held = held;
  Refresh(batch, *entry);
}

std::vector<uint32_t> Queue::ExceptionsIn(uint64_t batch, bool held) const {
  const auto found = batches_.find(batch);
  if (found == batches_.end() || !found->second.exceptions) return {};
  const auto& exceptions = held ? found->second.exceptions->held : found->second.exceptions->ready;
  return {exceptions.begin(), exceptions.end()};
}

bool Queue::IsJobHeld(uint64_t batch, uint32_t index) const {
  const auto found = batches_.find(batch);
  if (found == batches_.end()) return false;
  const Entry& entry = found->second;
  if (entry.exceptions && entry.exceptions->held.contains(index)) return true;
  const bool elsewhere = entry.exceptions && (entry.exceptions->ready.contains(index) || entry.exceptions->skipped.contains(index));
  return entry.held && !elsewhere && index >= entry.next && index <= entry.job_count;
}

bool Queue::HoldJob(uint64_t batch, uint32_t index) {
  Entry* const entry = Find(batch);
  if (entry == nullptr || (entry->exceptions && entry->exceptions->held.contains(index))) return false;
  const bool of_held_cursor = entry->held && !(entry->exceptions && entry->exceptions->ready.contains(index));
  if (of_held_cursor || !Dequeue(batch, index)) return false;
  ExceptionsOf(*entry).held.insert(index);
  Count(*entry, 1);
  return true;
}

bool Queue::ReleaseJob(uint64_t batch, uint32_t index) {
  Entry* const entry = Find(batch);
  if (entry == nullptr || (entry->exceptions && entry->exceptions->ready.contains(index))) return false;
  const bool single = entry->exceptions && entry->exceptions->held.contains(index);
  if ((!single && !entry->held) || !Dequeue(batch, index)) return false;
  ExceptionsOf(*entry).ready.insert(index);
  Count(*entry, 1);
  Refresh(batch, *entry);
  return true;
}

bool Queue::IsHeld(uint64_t batch) const {
  const auto found = batches_.find(batch);
  return found != batches_.end() && found->second.held;
}

uint64_t Queue::NeverStarted(uint64_t batch) const {
  const auto found = batches_.find(batch);
  return found == batches_.end() ? 0 : CursorJobs(found->second);
}

uint64_t Queue::QueuedIn(uint64_t batch) const {
  const auto found = batches_.find(batch);
  if (found == batches_.end()) return 0;
  const Entry& entry = found->second;
  return CursorJobs(entry) + (entry.exceptions ? entry.exceptions->ready.size() + entry.exceptions->held.size() : 0);
}

std::vector<uint64_t> Queue::Batches() const {
  std::vector<uint64_t> ids;
  ids.reserve(batches_.size());
  for (const auto& [id, entry] : batches_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

uint64_t Queue::QueuedOf(const std::string& owner) const {
  const auto found = owners_.find(owner);
  return found == owners_.end() ? 0 : found->second->queued;
}

void Queue::Reserve(const std::string& owner, int64_t jobs) {
  Owner& of = OwnerOf(owner);
  of.queued += static_cast<uint64_t>(jobs);
  queued_ += static_cast<uint64_t>(jobs);
  ForgetIfIdle(of);
}

void Queue::SetMaxRunning(const std::string& owner, uint32_t max_running) {
  Owner& of = OwnerOf(owner);
  of.max_running = max_running;
  for (size_t level = 0; level < 3; ++level) RefreshOwner(of, level);
  ForgetIfIdle(of);
}

}  // namespace jobd::worker
