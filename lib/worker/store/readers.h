// The readers of the store, one for each use. A consumer takes the one that is meant for it, and sees nothing else of the store.
//
// Of all of them: one thread at a time; every call sees what was committed when it began. "No such batch" is kNotFound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "worker/model/job_row.h"
#include "worker/model/model.h"
#include "worker/model/page.h"
#include "worker/model/session_store.h"
#include "worker/store/changes.h"

namespace jobd::worker {

struct ActiveBatch {
  BatchView view;
  uint32_t job_rows = 0;    // jobs that have a row
  bool held = false;        // those without a row are HELD
  std::string held_by;      // by whom; empty: as submitted
  base::Nanos held_at = 0;  // when they were held or released; 0: as submitted
  uint32_t max_running = 0;
};

struct LiveRow {
  uint64_t batch = 0;
  uint32_t index = 0;
  bool hold_next = false;  // see SetHoldNext
};

struct IndexedRow {
  uint32_t index = 0;
  JobRow row;
};

// Rows of live work, for the loop.
class LiveReader {
 public:
  virtual ~LiveReader() = default;

  // With prefix, a unique prefix of the ID will do; kInvalidArgument when it fits several, some of which it names.
  virtual base::Result<uint64_t> Find(const BatchName& name, bool prefix) = 0;
  virtual base::Result<BatchView> Batch(uint64_t batch) = 0;
  virtual base::Result<ActiveBatch> Active(uint64_t batch) = 0;
  // Batches that have not ended, with id > after, in order.
  virtual base::Result<std::vector<ActiveBatch>> Actives(uint64_t after, uint32_t limit) = 0;

  // Absent: the job has no row.
  virtual base::Result<std::optional<JobRow>> Row(uint64_t batch, uint32_t index) = 0;
  // Rows with index > after, in order.
  virtual base::Result<std::vector<IndexedRow>> Rows(uint64_t batch, uint32_t after, uint32_t limit) = 0;
  // Live rows of one batch, or of all (0).
  virtual base::Result<std::vector<LiveRow>> Live(uint64_t batch) = 0;

  virtual base::Result<JobSpec> Spec(uint64_t batch, uint32_t index) = 0;
  // Those of jobs in a row, from `first` on: at least one, then as many as `limit` and `max_bytes` (of them all) allow and as the
  // batch has. kNotFound when it has no such job.
  virtual base::Result<std::vector<EncodedSpec>> Specs(uint64_t batch, uint32_t first, uint32_t limit, size_t max_bytes) = 0;

  // The `seq` of the batch's latest start; 0: there was none.
  virtual base::Result<int64_t> LastStart(uint64_t batch) = 0;
  // Absent: never put.
  virtual base::Result<std::optional<std::string>> Meta(const std::string& key) = 0;
};

struct JobRecord {
  JobView view;
  JobRow row;
};

struct JobFilter {
  std::optional<uint32_t> index;
  std::vector<JobState> states;  // empty: all
  uint32_t after = 0;            // only indexes above
  uint32_t limit = 1000;
  size_t max_bytes = 1 << 20;  // of commands; at least one job is given whatever its size
  bool with_settings = false;  // JobView::asked
};

// What clients list and watch.
class CatalogueReader {
 public:
  virtual ~CatalogueReader() = default;

  // Until EndSnapshot all calls see the same.
  virtual base::Status BeginSnapshot() = 0;
  virtual void EndSnapshot() = 0;

  virtual base::Result<uint64_t> Find(const BatchName& name, bool prefix) = 0;  // as LiveReader's
  virtual base::Result<BatchView> Batch(uint64_t batch) = 0;
  // The following three: one of the owner's batches. kNotFound.
  virtual base::Result<uint64_t> FindNumber(const std::string& owner, uint64_t number) = 0;
  virtual base::Result<uint64_t> FindNewest(const std::string& owner, uint64_t skip) = 0;
  virtual base::Result<uint64_t> FindNamed(const std::string& owner, const std::string& name) = 0;  // the newest of that name
  // Up to `limit` jobs of that name, by index.
  virtual base::Result<std::vector<uint32_t>> JobsNamed(uint64_t batch, const std::string& name, uint32_t limit) = 0;
  // kNotFound: it has no first job that is short enough to be shown.
  virtual base::Result<JobSummary> FirstJob(uint64_t batch) = 0;
  // By index.
  virtual base::Result<std::vector<JobRecord>> Jobs(uint64_t batch, const JobFilter& filter) = 0;
  // Newest first; ids below `before` only (0: from the newest).
  virtual base::Result<std::vector<BatchView>> List(const BatchQuery& query, uint64_t before, uint32_t limit) = 0;
  virtual base::Result<std::optional<JobRow>> Row(uint64_t batch, uint32_t index) = 0;
  virtual base::Result<std::vector<LiveRow>> Live(uint64_t batch) = 0;
};

struct StartRow {
  int64_t seq = 0;
  uint32_t index = 0;
  uint32_t attempt = 0;
  uint64_t log_base = 0;
};

// In which order jobs wrote, and whether they still do.
class LogReader {
 public:
  virtual ~LogReader() = default;

  virtual base::Result<uint64_t> Find(const BatchName& name, bool prefix) = 0;  // as LiveReader's
  virtual base::Result<BatchView> Batch(uint64_t batch) = 0;
  virtual base::Result<std::optional<JobRow>> Row(uint64_t batch, uint32_t index) = 0;
  virtual base::Result<std::vector<IndexedRow>> Rows(uint64_t batch, uint32_t after, uint32_t limit) = 0;

  // Starts after seq, in order.
  virtual base::Result<std::vector<StartRow>> Starts(uint64_t batch, int64_t after, uint32_t limit) = 0;
  virtual base::Result<int64_t> LastStart(uint64_t batch) = 0;
  // The starts of one job but for those of its first attempt, in order; of very many the first.
  virtual base::Result<std::vector<StartRow>> StartsAgain(uint64_t batch, uint32_t index) = 0;
  // Jobs that were started and have not ended: live, or between two attempts. Those with index > after, in order.
  virtual base::Result<std::vector<uint32_t>> Unfinished(uint64_t batch, uint32_t after, uint32_t limit) = 0;
  // Final jobs that were started at some time, the latest to end first.
  virtual base::Result<std::vector<IndexedRow>> LastEnded(uint64_t batch, uint32_t skip, uint32_t limit) = 0;
};

// A place in the order in which batches ended.
struct EndedPlace {
  base::Nanos ended_at = 0;
  uint64_t id = 0;
  bool operator==(const EndedPlace&) const = default;
};

// What the ended batches of one owner take.
struct OwnerUsage {
  std::string owner;
  uint64_t batches = 0;
  uint64_t bytes = 0;  // of those that have been measured
};

// What has ended, and what it takes.
class RetentionReader {
 public:
  virtual ~RetentionReader() = default;

  virtual base::Result<BatchView> Batch(uint64_t batch) = 0;
  // Batches that ended before a time, of one owner or of all (empty), in the order of their ends; those behind `after` only.
  virtual base::Result<std::vector<BatchView>> EndedBefore(const std::string& owner, base::Nanos time, EndedPlace after,
                                                           uint32_t limit) = 0;
  // Ended batches that nobody has measured yet.
  virtual base::Result<std::vector<BatchView>> Unmeasured(uint32_t limit) = 0;
  // One row for each owner of an ended batch.
  virtual base::Result<std::vector<OwnerUsage>> RetainedUsage() = 0;
};

// Who is logged in, and what a user has.
class AccountReader {
 public:
  virtual ~AccountReader() = default;

  virtual base::Result<std::vector<SessionRecord>> Sessions() = 0;
  virtual base::Result<std::vector<RehashedPassword>> Rehashed() = 0;
  virtual base::Result<OwnerUse> Use(const std::string& owner) = 0;
};

}  // namespace jobd::worker
