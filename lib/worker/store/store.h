// The seam to where state lives. Writes are values, grouped into commits on a thread of the store's; reads are done by the caller.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "worker/model/job_row.h"
#include "worker/model/model.h"
#include "worker/model/page.h"
#include "worker/model/request.h"
#include "worker/model/state_machine.h"

namespace jobd::worker {

// ---- writes ----

struct EncodedSpec {
  std::string spec;
  std::string stdin_data;
};

struct NewBatch {
  BatchName name;
  BatchOptions options;
  std::string digest;
  std::vector<EncodedSpec> specs;
  uint32_t max_running = 0;  // the owner's quota; 0: none
  base::Nanos created_at = 0;
  // Set: no new batch may be accepted, for this reason. One that is already stored is still answered as the first time.
  std::optional<base::Error> refusal;
};

struct Stored {
  uint64_t id = 0;
  Receipt receipt;
};

// The job's row becomes `row`. Moves that the state machine forbids are passed over: what was committed first stands.
struct PutJob {
  uint64_t batch = 0;
  uint32_t index = 0;
  JobRow row;
  Move move = Move::kOrdinary;
};
// A start of an attempt, for readers of the merged output. `seq` only grows within a batch.
struct AddStart {
  uint64_t batch = 0;
  int64_t seq = 0;
  uint32_t index = 0;
  uint32_t attempt = 0;
  uint64_t log_base = 0;
};
// Every job of [first, last] that has no row yet gets this one.
struct PutRange {
  uint64_t batch = 0;
  uint32_t first = 0;
  uint32_t last = 0;
  JobRow row;
};
// Whether jobs without a row count as HELD.
struct SetHeld {
  uint64_t batch = 0;
  bool held = false;
};
struct PutMeta {
  std::string key;
  std::string value;
};
struct DropBatch {
  uint64_t batch = 0;
};
// What the files of an ended batch take. Passed over when it has not ended, or at another time than this.
struct SetKept {
  uint64_t batch = 0;
  base::Nanos ended_at = 0;
  uint64_t bytes = 0;
};
using Change = std::variant<PutJob, AddStart, PutRange, SetHeld, PutMeta, DropBatch, SetKept>;

// Changes that are committed together or not at all. `done` may be empty.
struct Write {
  std::vector<Change> changes;
  std::function<void(base::Status)> done;
};

// ---- reads ----

struct JobRecord {
  JobView view;
  JobRow row;
};

struct ActiveBatch {
  BatchView view;
  uint32_t job_rows = 0;
  bool held = false;
  uint32_t max_running = 0;
};

struct LiveRow {
  uint64_t batch = 0;
  uint32_t index = 0;
};

struct StartRow {
  int64_t seq = 0;
  uint32_t index = 0;
  uint32_t attempt = 0;
  uint64_t log_base = 0;
};

// The ended batches of one owner.
struct KeptRow {
  std::string owner;
  uint64_t batches = 0;
  uint64_t bytes = 0;  // of those that have been measured
};

struct IndexedRow {
  uint32_t index = 0;
  JobRow row;
};

struct JobFilter {
  std::optional<uint32_t> index;
  std::vector<JobState> states;  // empty: all
  uint32_t after = 0;            // only indexes above
  uint32_t limit = 1000;
  size_t max_bytes = 1 << 20;  // of commands; at least one job is given whatever its size
};

// One thread at a time. Every call sees what was committed when it began; within Snapshot all calls see the same.
class StoreReader {
 public:
  virtual ~StoreReader() = default;

  virtual base::Status BeginSnapshot() = 0;
  virtual void EndSnapshot() = 0;

  // kNotFound "no such batch". With prefix, a unique prefix of the ID will do; kInvalidArgument when it fits several.
  virtual base::Result<uint64_t> Find(const BatchName& name, bool prefix) = 0;
  virtual base::Result<BatchView> Batch(uint64_t batch) = 0;
  virtual base::Result<ActiveBatch> Active(uint64_t batch) = 0;
  virtual base::Result<std::vector<JobRecord>> Jobs(uint64_t batch, const JobFilter& filter) = 0;
  // Newest first; ids below `before` only (0: from the newest).
  virtual base::Result<std::vector<BatchView>> List(const BatchQuery& query, uint64_t before, uint32_t limit) = 0;

  // Absent: the job has no row.
  virtual base::Result<std::optional<JobRow>> Row(uint64_t batch, uint32_t index) = 0;
  // Rows with index > after, in order.
  virtual base::Result<std::vector<IndexedRow>> Rows(uint64_t batch, uint32_t after, uint32_t limit) = 0;
  virtual base::Result<JobSpec> Spec(uint64_t batch, uint32_t index) = 0;
  // Those of jobs in a row, from `first` on: at least one, then as many as `limit` and `max_bytes` (of them all) allow and as the
  // batch has. kNotFound when it has no such job.
  virtual base::Result<std::vector<EncodedSpec>> Specs(uint64_t batch, uint32_t first, uint32_t limit, size_t max_bytes) = 0;

  // Starts after seq, in order.
  virtual base::Result<std::vector<StartRow>> Starts(uint64_t batch, int64_t after, uint32_t limit) = 0;
  virtual base::Result<int64_t> LastStart(uint64_t batch) = 0;
  // Final jobs that were started at some time, the latest to end first.
  virtual base::Result<std::vector<IndexedRow>> LastEnded(uint64_t batch, uint32_t skip, uint32_t limit) = 0;
  // Live rows of one batch, or of all (0).
  virtual base::Result<std::vector<LiveRow>> Live(uint64_t batch) = 0;

  // Batches that have not ended, with id > after, in order.
  virtual base::Result<std::vector<ActiveBatch>> Actives(uint64_t after, uint32_t limit) = 0;
  // Batches that ended before a time, of one owner or of all (empty), in the order of their ends; those behind `after` only.
  struct EndedPlace {
    base::Nanos ended_at = 0;
    uint64_t id = 0;
  };
  virtual base::Result<std::vector<BatchView>> EndedBefore(const std::string& owner, base::Nanos time, EndedPlace after,
                                                           uint32_t limit) = 0;
  // Ended batches that nobody has measured yet.
  virtual base::Result<std::vector<BatchView>> Unmeasured(uint32_t limit) = 0;
  // One row for each owner of an ended batch.
  virtual base::Result<std::vector<KeptRow>> Kept() = 0;
  virtual base::Result<std::optional<std::string>> Meta(const std::string& key) = 0;
};

// Thread-safe. Completions come on the store's thread, in the order of the calls, after the commit; they must not block, nor call
// the store. A commit that fails fails every write in it, and nothing of it is on disk.
class Store {
 public:
  virtual ~Store() = default;
  virtual void Submit(NewBatch batch, std::function<void(base::Result<Stored>)> done) = 0;
  virtual void Apply(std::vector<Write> writes) = 0;
  // Apply for a thread that has nothing to do before these are committed: a few rows of jobs, on a disk that is quick, and nobody
  // else's commit under way or waiting, are committed on that thread, and the completions have come when this returns. All else
  // goes to the store's thread.
  virtual void ApplyHere(std::vector<Write> writes) = 0;
  // False once the disk failed to make a commit durable: what it then holds is unknown to this process, so nothing more is written
  // until a restart. Reading goes on.
  virtual bool writable() const = 0;

  using Lease = std::unique_ptr<StoreReader, std::function<void(StoreReader*)>>;
  // A reader, given back when the lease ends.
  virtual base::Result<Lease> Read() = 0;
};

}  // namespace jobd::worker
