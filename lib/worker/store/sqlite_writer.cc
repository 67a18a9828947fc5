#include "worker/store/sqlite_writer.h"

#include <string>

#include "worker/store/schema.h"
#include "worker/store/spec_codec.h"
#include "worker/store/sqlite_accounts.h"
#include "worker/store/sqlite_rows.h"

namespace jobd::worker {
namespace {

std::string Parameters(int first, int count) {
  std::string list;
  for (int i = first; i < first + count; ++i) list += (i == first ? "?" : ", ?") + std::to_string(i);
  return list;
}

constexpr const char* kSelectTally = R"sql(
SELECT queued, held_jobs, starting, stopping, succeeded, failed, cancelled, timed_out, oom_killed, lost,
  job_rows, held, started_at, ended_at, state
FROM batches WHERE id = ?1)sql";

// Every start and every end writes this, so it touches no column that is in an index.
constexpr const char* kPutCounts = R"sql(
UPDATE batches SET
  queued = ?2, held_jobs = ?3, starting = ?4, stopping = ?5, succeeded = ?6, failed = ?7, cancelled = ?8, timed_out = ?9,
  oom_killed = ?10, lost = ?11, job_rows = ?12
WHERE id = ?1)sql";

// When a batch begins, ends, or changes otherwise as a whole, which is rare. A live batch has no measured size.
constexpr const char* kPutPhase = R"sql(
UPDATE batches SET
  started_at = ?2, ended_at = ?3, state = ?4, kept_bytes = CASE WHEN ?3 = 0 THEN -1 ELSE kept_bytes END
WHERE id = ?1)sql";

}  // namespace

base::Result<std::unique_ptr<SqliteWriter>> SqliteWriter::Create(Database& database, const base::Clock& clock) {
  std::unique_ptr<SqliteWriter> writer(new SqliteWriter(database, clock));
  const std::string columns(kJobColumns);
  const std::string put = " INTO jobs (batch, idx, " + columns + ") VALUES (" + Parameters(1, 2 + kJobColumnCount) + ")";
  const std::array<std::pair<Statement*, std::string>, 25> statements = {{
      {&writer->begin_, "BEGIN IMMEDIATE"},
      {&writer->commit_, "COMMIT"},
      {&writer->rollback_, "ROLLBACK"},
      {&writer->look_, "SELECT 1 FROM meta LIMIT 1"},
      {&writer->find_batch_,
       "SELECT id, digest, job_count, created_at, number FROM batches WHERE owner = ?1 AND correlation_id = ?2"},
      {&writer->insert_batch_,
       "INSERT INTO batches (owner, correlation_id, digest, name, labels, parallel, fail_fast, priority, hold, held, max_running, "
       "job_count, queued, held_jobs, created_at, state, number) VALUES (" +
           Parameters(1, 17) + ")"},
      {&writer->last_number_, "SELECT last FROM numbers WHERE owner = ?1"},
      {&writer->put_number_, "INSERT OR REPLACE INTO numbers (owner, last) VALUES (?1, ?2)"},
      {&writer->insert_spec_, "INSERT INTO specs (key, spec, stdin) VALUES (?1, ?2, ?3)"},
      {&writer->tally_, kSelectTally},
      {&writer->put_counts_, kPutCounts},
      {&writer->put_phase_, kPutPhase},
      {&writer->set_held_,
       "UPDATE batches SET held = ?2, queued = queued + CASE WHEN ?2 THEN job_rows - job_count ELSE job_count - job_rows END, "
       "held_jobs = held_jobs + CASE WHEN ?2 THEN job_count - job_rows ELSE job_rows - job_count END, held_by = ?3, held_at = ?4 "
       "WHERE id = ?1 AND held <> ?2"},
      {&writer->job_state_, "SELECT state FROM jobs WHERE batch = ?1 AND idx = ?2"},
      {&writer->set_hold_next_,
       "UPDATE jobs SET hold_next = ?3, held_by = ?4 WHERE batch = ?1 AND idx = ?2 AND state BETWEEN 3 AND 6"},
      {&writer->put_job_, "INSERT OR REPLACE" + put},
      {&writer->put_new_jobs_,
       "INSERT OR IGNORE INTO jobs (batch, idx, " + columns +
           ") WITH RECURSIVE indexes (one) AS (SELECT ?2 UNION ALL SELECT one + 1 FROM indexes WHERE one < ?" +
           std::to_string(3 + kJobColumnCount) + ") SELECT ?1, one, " + Parameters(3, kJobColumnCount) + " FROM indexes"},
      {&writer->wait_as_,
       "UPDATE jobs SET state = ?5, waits_since = ?6, held_by = ?7 WHERE batch = ?1 AND idx BETWEEN ?2 AND ?3 AND state = ?4"},
      {&writer->cancel_waiting_,
       "UPDATE jobs SET state = ?5, ended_at = ?6, reason = ?7, reason_text = ?8, step = ?9, errno_name = ?10, by = ?11, "
       "detail = ?12, exit_code = NULL, signal = NULL WHERE batch = ?1 AND idx BETWEEN ?2 AND ?3 AND state = ?4"},
      {&writer->add_start_, "INSERT INTO starts (batch, seq, idx, attempt, log_base) VALUES (?1, ?2, ?3, ?4, ?5)"},
      {&writer->put_meta_, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)"},
      {&writer->set_kept_, "UPDATE batches SET kept_bytes = ?3 WHERE id = ?1 AND ended_at = ?2 AND ended_at > 0"},
      {&writer->put_session_, "INSERT OR REPLACE INTO sessions (" + std::string(kSessionColumns) + ") VALUES (" +
                                  Parameters(1, kSessionColumnCount) + ")"},
      {&writer->drop_session_, "DELETE FROM sessions WHERE handle = ?1"},
      {&writer->put_rehashed_, "INSERT OR REPLACE INTO rehashed (user, replaces, hash) VALUES (?1, ?2, ?3)"},
  }};
  for (const auto& [statement, sql] : statements) {
    JOBD_ASSIGN_OR_RETURN(*statement, database.Prepare(sql));
  }
  return writer;
}

base::Status SqliteWriter::Begin() {
  tallies_.clear();
  numbers_.clear();
  return begin_.Run();
}

base::Status SqliteWriter::Commit() {
  for (const auto& [batch, tally] : tallies_) JOBD_RETURN_IF_ERROR(Flush(batch, tally));
  tallies_.clear();
  for (const auto& [owner, last] : numbers_) {
    put_number_.BindText(1, owner).Bind(2, last);
    JOBD_RETURN_IF_ERROR(put_number_.Run());
  }
  JOBD_RETURN_IF_ERROR(commit_.Run());
  // The first reader behind a commit writes into the shared index of the log, a mapped file, how far it reads. On a frozen disk
  // that would block it, and whoever waits for it, until the thaw: so it is done here, while the disk is known to work.
  (void)look_.Run();
  return base::Ok();
}

void SqliteWriter::Rollback() {
  tallies_.clear();
  // Some failures have rolled back by themselves.
  if (database_.in_transaction()) (void)rollback_.Run();
}

base::Result<Stored> SqliteWriter::Insert(const NewBatch& batch) {
  {
    const StatementScope scope(find_batch_);
    find_batch_.BindText(1, batch.name.owner).BindText(2, batch.name.correlation_id);
    JOBD_ASSIGN_OR_RETURN(const bool known, find_batch_.Step());
    if (known) {
      if (find_batch_.Bytes(1) != batch.digest) {
        return base::Error(base::Code::kAlreadyExists, "there is a batch '" + batch.name.correlation_id +
                                                           "' with other content: choose another correlation ID");
      }
      return Stored{.id = find_batch_.Uint(0),
                    .receipt = {.correlation_id = batch.name.correlation_id,
                                .job_count = find_batch_.Uint32(2),
                                .created_at = find_batch_.Int(3),
                                .replayed = true,
                                .number = find_batch_.Uint(4)}};
    }
  }
  if (batch.refusal) return *batch.refusal;
  const auto job_count = static_cast<uint32_t>(batch.specs.size());
  const bool hold = batch.options.hold;
  const std::string labels = EncodeLabels(batch.options.labels);
  JOBD_ASSIGN_OR_RETURN(const uint64_t number, NextNumber(batch.name.owner));
  insert_batch_.BindText(1, batch.name.owner).BindText(2, batch.name.correlation_id).BindBlob(3, batch.digest);
  insert_batch_.BindText(4, batch.options.name).BindBlob(5, labels).Bind(6, batch.options.parallel);
  insert_batch_.Bind(7, batch.options.fail_fast ? 1 : 0).Bind(8, static_cast<int>(batch.options.priority)).Bind(9, hold ? 1 : 0);
  insert_batch_.Bind(10, hold ? 1 : 0).Bind(11, batch.max_running).Bind(12, job_count);
  insert_batch_.Bind(13, hold ? 0u : job_count).Bind(14, hold ? job_count : 0u).Bind(15, batch.created_at);
  insert_batch_.Bind(16, static_cast<int>(hold ? JobState::kHeld : JobState::kQueued)).Bind(17, number);
  JOBD_RETURN_IF_ERROR(insert_batch_.Run());
  const auto id = static_cast<uint64_t>(database_.last_insert_rowid());
  for (uint32_t index = 1; index <= job_count; ++index) {
    const EncodedSpec& spec = batch.specs[index - 1];
    insert_spec_.Bind(1, SpecKey(id, index)).BindBlob(2, spec.spec).BindBlob(3, spec.stdin_data);
    JOBD_RETURN_IF_ERROR(insert_spec_.Run());
  }
  return Stored{
      .id = id,
      .receipt = {
          .correlation_id = batch.name.correlation_id, .job_count = job_count, .created_at = batch.created_at, .number = number}};
}

base::Result<uint64_t> SqliteWriter::NextNumber(const std::string& owner) {
  const auto [known, is_new] = numbers_.try_emplace(owner, 0);
  if (is_new) {
    const StatementScope scope(last_number_);
    last_number_.BindText(1, owner);
    JOBD_ASSIGN_OR_RETURN(const bool found, last_number_.Step());
    if (found) known->second = last_number_.Uint(0);
  }
  return ++known->second;
}

base::Status SqliteWriter::Apply(const Change& change) {
  return std::visit([this](const auto& one) { return Do(one); }, change);
}

base::Result<SqliteWriter::Tally*> SqliteWriter::TallyOf(uint64_t batch) {
  const auto [entry, is_new] = tallies_.try_emplace(batch);
  Tally& tally = entry->second;
  if (!is_new) return &tally;
  const StatementScope scope(tally_);
  tally_.Bind(1, batch);
  JOBD_ASSIGN_OR_RETURN(const bool known, tally_.Step());
  if (!known) return &tally;
  int at = 0;
  for (const JobState state : kCountedStates) tally.counts[static_cast<size_t>(state)] = tally_.Int(at++);
  tally.rows = tally_.Int(at++);
  tally.held = tally_.Int(at++) != 0;
  tally.started_at = tally_.Int(at++);
  tally.ended_at = tally_.Int(at++);
  tally.state = static_cast<JobState>(tally_.Int(at++));
  return &tally;
}

base::Status SqliteWriter::Flush(uint64_t batch, const Tally& tally) {
  int at = 1;
  put_counts_.Bind(at++, batch);
  for (const JobState state : kCountedStates) put_counts_.Bind(at++, tally.counts[static_cast<size_t>(state)]);
  put_counts_.Bind(at++, tally.rows);
  JOBD_RETURN_IF_ERROR(put_counts_.Run());

  const base::Nanos now = clock_.Realtime();
  const base::Nanos started_at = tally.started_at == 0 && tally.started ? now : tally.started_at;
  const auto in = [&](JobState state) { return tally.counts[static_cast<size_t>(state)]; };
  const bool live = in(JobState::kQueued) + in(JobState::kHeld) + in(JobState::kStarting) + in(JobState::kStopping) > 0;
  const base::Nanos ended_at = live ? 0 : tally.ended_at == 0 ? now : tally.ended_at;
  const JobState state = SummaryState(tally.counts, started_at);
  if (started_at == tally.started_at && ended_at == tally.ended_at && state == tally.state) return base::Ok();
  put_phase_.Bind(1, batch).Bind(2, started_at).Bind(3, ended_at).Bind(4, static_cast<int>(state));
  return put_phase_.Run();
}

base::Status SqliteWriter::Do(const PutJob& put) {
  JOBD_ASSIGN_OR_RETURN(Tally* const tally, TallyOf(put.batch));
  JobState old = tally->held ? JobState::kHeld : JobState::kQueued;
  bool has_row = false;
  {
    const StatementScope scope(job_state_);
    job_state_.Bind(1, put.batch).Bind(2, put.index);
    JOBD_ASSIGN_OR_RETURN(has_row, job_state_.Step());
    if (has_row) old = static_cast<JobState>(job_state_.Int(0));
  }
  if (!MayMove(old, put.row.outcome.state, put.move)) {
    if (put.must) return base::Error(base::Code::kAborted, "the job has another state by now");
    return base::Ok();
  }
  put_job_.Bind(1, put.batch).Bind(2, put.index);
  BindJobRow(put_job_, 3, put.row);
  JOBD_RETURN_IF_ERROR(put_job_.Run());
  --tally->counts[static_cast<size_t>(old)];
  ++tally->counts[static_cast<size_t>(put.row.outcome.state)];
  if (!has_row) ++tally->rows;
  if (put.row.outcome.state == JobState::kStarting) tally->started = true;
  return base::Ok();
}

base::Status SqliteWriter::Do(const AddStart& start) {
  add_start_.Bind(1, start.batch).Bind(2, start.seq).Bind(3, start.index).Bind(4, start.attempt).Bind(5, start.log_base);
  return add_start_.Run();
}

base::Status SqliteWriter::Do(const PutRange& range) {
  JOBD_ASSIGN_OR_RETURN(Tally* const tally, TallyOf(range.batch));
  const auto old = static_cast<size_t>(tally->held ? JobState::kHeld : JobState::kQueued);
  if (range.first > range.last) return base::Ok();
  // However many they are, what is the same in all is bound once.
  put_new_jobs_.Bind(1, range.batch).Bind(2, range.first);
  BindJobRow(put_new_jobs_, 3, range.row);
  put_new_jobs_.Bind(3 + kJobColumnCount, range.last);
  JOBD_RETURN_IF_ERROR(put_new_jobs_.Run());
  const int64_t added = database_.changes();
  tally->rows += added;
  tally->counts[old] -= added;
  tally->counts[static_cast<size_t>(range.row.outcome.state)] += added;
  return base::Ok();
}

base::Status SqliteWriter::Do(const MoveWaiting& move) {
  if (move.first > move.last) return base::Ok();
  JOBD_ASSIGN_OR_RETURN(Tally* const tally, TallyOf(move.batch));
  for (const JobState from : {JobState::kQueued, JobState::kHeld}) {
    if (from == move.to) continue;
    const bool cancels = move.to == JobState::kCancelled;
    Statement& statement = cancels ? cancel_waiting_ : wait_as_;
    statement.Bind(1, move.batch).Bind(2, move.first).Bind(3, move.last);
    statement.Bind(4, static_cast<int>(from)).Bind(5, static_cast<int>(move.to)).Bind(6, move.at);
    if (cancels) {
      statement.Bind(7, static_cast<int>(move.reason.code)).BindText(8, move.reason.text).BindText(9, move.reason.step);
      statement.BindText(10, move.reason.errno_name).BindText(11, move.reason.by).BindText(12, move.reason.detail);
    } else {
      statement.BindText(7, move.to == JobState::kHeld ? std::string_view(move.by) : "");
    }
    JOBD_RETURN_IF_ERROR(statement.Run());
    const int64_t moved = database_.changes();
    tally->counts[static_cast<size_t>(from)] -= moved;
    tally->counts[static_cast<size_t>(move.to)] += moved;
  }
  return base::Ok();
}

base::Status SqliteWriter::Do(const SetHeld& hold) {
  // The statement moves counts from one column to another, so what this transaction has counted has to be there before.
  if (const auto tally = tallies_.find(hold.batch); tally != tallies_.end()) {
    JOBD_RETURN_IF_ERROR(Flush(hold.batch, tally->second));
    tallies_.erase(tally);
  }
  set_held_.Bind(1, hold.batch).Bind(2, hold.held ? 1 : 0).BindText(3, hold.held ? std::string_view(hold.by) : "").Bind(4, hold.at);
  JOBD_RETURN_IF_ERROR(set_held_.Run());
  // What it counts now decides its state, which is written when this commits.
  const auto tally = TallyOf(hold.batch);
  return tally.ok() ? base::Ok() : base::Status(tally.error());
}

base::Status SqliteWriter::Do(const SetHoldNext& hold) {
  set_hold_next_.Bind(1, hold.batch).Bind(2, hold.index).Bind(3, hold.hold ? 1 : 0).BindText(4, hold.by);
  return set_hold_next_.Run();
}

base::Status SqliteWriter::Do(const PutMeta& meta) {
  put_meta_.BindText(1, meta.key).BindBlob(2, meta.value);
  return put_meta_.Run();
}

base::Status SqliteWriter::Do(const SetKept& kept) {
  set_kept_.Bind(1, kept.batch).Bind(2, kept.ended_at).Bind(3, kept.bytes);
  return set_kept_.Run();
}

base::Status SqliteWriter::Do(const PutSession& put) {
  BindSession(put_session_, put.session);
  return put_session_.Run();
}

base::Status SqliteWriter::Do(const DropSession& drop) {
  drop_session_.BindText(1, drop.handle);
  return drop_session_.Run();
}

base::Status SqliteWriter::Do(const PutRehashed& put) {
  put_rehashed_.BindText(1, put.password.user).BindBlob(2, put.password.replaces).BindText(3, put.password.hash);
  return put_rehashed_.Run();
}

base::Status SqliteWriter::Do(const DropBatch& drop) {
  tallies_.erase(drop.batch);
  // Too rare to keep statements for.
  for (const char* const sql :
       {"DELETE FROM specs WHERE key BETWEEN (?1 << 24) AND ((?1 << 24) | 16777215)", "DELETE FROM jobs WHERE batch = ?1",
        "DELETE FROM starts WHERE batch = ?1", "DELETE FROM batches WHERE id = ?1"}) {
    JOBD_ASSIGN_OR_RETURN(Statement statement, database_.Prepare(sql));
    statement.Bind(1, drop.batch);
    JOBD_RETURN_IF_ERROR(statement.Run());
  }
  return base::Ok();
}

}  // namespace jobd::worker
