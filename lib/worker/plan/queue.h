// The planner: which job starts next. Pure; no clock, no threads, no store.
//
// Classes come in order: urgent before normal before low. Within a class the owners take turns, so that no queue of one delays
// another's; within an owner, batches start in the order of their acceptance, and jobs in that of their index. A batch with
// `parallel` and an owner with max_running are passed over while they are at their bound.
//
// Memory does not grow with the number of queued jobs: a batch is a cursor over the jobs not yet looked at, and exceptions for the
// few that stand out of line.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "worker/model/model.h"

namespace jobd::worker {

// Not thread-safe.
class Queue {
 public:
  struct Batch {
    uint64_t id = 0;
    std::string owner;
    Priority priority = Priority::kNormal;
    uint32_t job_count = 0;
    uint32_t parallel = 0;  // 0: no bound
    bool held = false;
  };
  struct Pick {
    uint64_t batch = 0;
    uint32_t index = 0;
    bool never_started = false;  // of the cursor: nothing has become of it yet, and so it has no row
  };
  // The queued jobs of a batch: those of [first, last] that do not stand out, and those that do.
  struct Waiting {
    uint32_t first = 1;
    uint32_t last = 0;              // below first: none
    std::vector<uint32_t> skipped;  // of the range, not waiting
    std::vector<uint32_t> ready;    // outside of the range
    std::vector<uint32_t> held;     // the same, held singly
    uint64_t count = 0;
  };

  // Where jobs of one batch stand, for who asks why they wait.
  struct Place {
    struct Job {
      bool queued = false;  // else it is not here: it is live, or has ended
      bool held = false;
      // So many jobs start earlier, by what is here now; 0 of one that is held. Not counted: what `parallel` of another batch keeps
      // back.
      uint64_t before = 0;
      bool exact = true;  // false: there are more; where `before` is 0, perhaps not
    };
    std::vector<Job> jobs;     // as asked for
    uint32_t parallel = 0;     // of the batch; 0: no bound
    uint32_t running = 0;      // of the batch
    uint32_t max_running = 0;  // of the owner; 0: no bound
    uint32_t owner_running = 0;
    uint32_t steps = 0;  // what was looked at to count, at most kMaxPlaceSteps
  };
  // Batches of one owner, and jobs of one batch that stand out, that are looked at to count what comes before a job. Beyond, the
  // count is a lower bound.
  static constexpr uint32_t kMaxPlaceSteps = 4096;

  Queue() = default;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // All its jobs are queued (or held). Adding a batch that is there does nothing.
  void Add(const Batch& batch);
  // Like Add, but no job is queued until Requeue.
  void AddEmpty(const Batch& batch);
  // Forgets a batch with all its queued jobs. What runs of it must be Done first or never be again.
  void Remove(uint64_t batch);
  bool Has(uint64_t batch) const { return batches_.contains(batch); }

  // Takes the next job to start; it counts as running until Done or Requeue(…, true).
  std::optional<Pick> Next();
  void Done(uint64_t batch);
  // Queues one job: a retry, or (was_running) one whose start did not come about.
  void Requeue(uint64_t batch, uint32_t index, bool was_running);
  // A job that runs without having been picked: found alive at a restart.
  void Adopt(uint64_t batch);
  // The job is not queued, whatever the cursor says: it has ended, or is accounted for elsewhere. True when it was.
  bool Dequeue(uint64_t batch, uint32_t index);
  // All queued and held jobs leave the queue.
  Waiting DequeueAll(uint64_t batch);
  void Restore(uint64_t batch, const Waiting& waiting);

  // The jobs of the cursor are held as one; those that stand out, singly. HoldJob, ReleaseJob: whether it changed.
  void SetHeld(uint64_t batch, bool held);
  bool HoldJob(uint64_t batch, uint32_t index);
  bool ReleaseJob(uint64_t batch, uint32_t index);
  bool IsHeld(uint64_t batch) const;
  // Queued, and would not start: singly or with its batch.
  bool IsJobHeld(uint64_t batch, uint32_t index) const;
  // The jobs that stand out, by whether they are held.
  std::vector<uint32_t> ExceptionsIn(uint64_t batch, bool held) const;
  // `indexes` in rising order. Takes time with the owners, not with the queued jobs: see
  // kMaxPlaceSteps.
  Place PlaceOf(uint64_t batch, const std::vector<uint32_t>& indexes) const;
  // Jobs of the cursor: neither picked nor set apart.
  uint64_t NeverStarted(uint64_t batch) const;

  // Queued and held jobs of one batch.
  uint64_t QueuedIn(uint64_t batch) const;
  // All batches that are here, in the order of their ids.
  std::vector<uint64_t> Batches() const;

  // Queued and held jobs, of all or of one owner; Reserve adds what is being accepted.
  uint64_t queued() const { return queued_; }
  uint64_t QueuedOf(const std::string& owner) const;
  void Reserve(const std::string& owner, int64_t jobs);
  // How many jobs of an owner may run at once; 0: no bound.
  void SetMaxRunning(const std::string& owner, uint32_t max_running);

 private:
  struct Owner {
    std::string name;
    uint32_t max_running = 0;
    uint32_t running = 0;
    uint32_t batches = 0;
    uint64_t queued = 0;
    std::array<std::set<uint64_t>, 3> ready;  // batches that could start a job now, by class
    std::array<uint64_t, 3> startable{};      // jobs of those
    std::array<bool, 3> listed{};             // whether it is in turns_
    std::array<std::list<Owner*>::iterator, 3> place;
  };
  struct Exceptions {
    std::set<uint32_t> ready;    // start before the cursor goes on
    std::set<uint32_t> held;     // singly
    std::set<uint32_t> skipped;  // at or above the cursor, not queued
  };
  struct Entry {
    Owner* owner = nullptr;
    uint32_t job_count = 0;
    uint32_t next = 1;  // the cursor
    uint32_t parallel = 0;
    uint32_t running = 0;
    uint32_t startable = 0;  // as counted in its owner's
    uint8_t level = 0;       // 0: urgent
    bool held = false;
    std::unique_ptr<Exceptions> exceptions;  // most batches have none
  };

  Owner& OwnerOf(const std::string& name);
  void ForgetIfIdle(Owner& owner);
  Entry* Find(uint64_t batch);
  static Exceptions& ExceptionsOf(Entry& entry);
  static uint64_t CursorJobs(const Entry& entry);
  static bool CanStart(const Entry& entry);
  // Jobs that could start one after the other, were there slots.
  static uint32_t Startable(const Entry& entry);
  // See Place.
  static void LookFor(const Entry& entry, const std::vector<uint32_t>& indexes, Place& place);
  void CountOthers(const Owner& owner, size_t level, std::vector<Place::Job>& jobs) const;
  void Count(Entry& entry, int64_t jobs);
  // Puts the batch, and its owner, where they belong after a change.
  void Refresh(uint64_t id, Entry& entry);
  void RefreshOwner(Owner& owner, size_t level);
  // Passes over what is skipped.
  static void Advance(Entry& entry);

  std::unordered_map<uint64_t, Entry> batches_;
  std::unordered_map<std::string, std::unique_ptr<Owner>> owners_;
  std::array<std::list<Owner*>, 3> turns_;
  uint64_t queued_ = 0;
};

}  // namespace jobd::worker
