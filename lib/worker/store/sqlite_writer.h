// Applies changes within a transaction. Keeps each batch's counts right by what its rows were before, so that they always add up
// whatever was asked for.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "worker/store/changes.h"
#include "worker/store/sqlite.h"
#include "worker/store/sqlite_rows.h"

namespace jobd::worker {

// One thread. Between Begin and Commit or Rollback.
class SqliteWriter {
 public:
  // The connection is configured and prepared, and outlives the writer.
  static base::Result<std::unique_ptr<SqliteWriter>> Create(Database& database, const base::Clock& clock);

  base::Status Begin();
  base::Status Commit();
  void Rollback();

  // kAlreadyExists, or the refusal in `batch`, leave the transaction usable; other errors do not.
  base::Result<Stored> Insert(const NewBatch& batch);
  base::Status Apply(const Change& change);

 private:
  // What a batch's row counts, as this transaction has changed it; written when it commits.
  struct Tally {
    bool held = false;
    StateCounts counts{};
    int64_t rows = 0;
    bool started = false;  // a start was added
    // As stored.
    base::Nanos started_at = 0;
    base::Nanos ended_at = 0;
    JobState state = JobState::kQueued;
  };

  explicit SqliteWriter(Database& database, const base::Clock& clock) : database_(database), clock_(clock) {}
  base::Result<Tally*> TallyOf(uint64_t batch);
  // The owner's next, which nobody else gets.
  base::Result<uint64_t> NextNumber(const std::string& owner);
  base::Status Flush(uint64_t batch, const Tally& tally);

  base::Status Do(const PutJob& put);
  base::Status Do(const AddStart& start);
  base::Status Do(const PutRange& range);
  base::Status Do(const MoveWaiting& move);
  base::Status Do(const SetHeld& hold);
  base::Status Do(const SetHoldNext& hold);
  base::Status Do(const PutMeta& meta);
  base::Status Do(const DropBatch& drop);
  base::Status Do(const SetKept& kept);
  base::Status Do(const PutSession& put);
  base::Status Do(const DropSession& drop);
  base::Status Do(const PutRehashed& put);

  Database& database_;
  const base::Clock& clock_;
  std::map<uint64_t, Tally> tallies_;
  std::map<std::string, uint64_t> numbers_;  // the last that this transaction has given, by owner
  Statement begin_, commit_, rollback_, look_;
  Statement find_batch_, insert_batch_, insert_spec_, tally_, put_counts_, put_phase_, set_held_, last_number_, put_number_;
  Statement job_state_, put_job_, put_new_jobs_, add_start_, put_meta_, set_kept_, set_hold_next_;
  Statement put_session_, drop_session_, put_rehashed_;
  Statement wait_as_, cancel_waiting_;
};

}  // namespace jobd::worker
