#include "worker/store/schema.h"

#include <array>
#include <string>

#include "worker/store/write_ahead_log.h"

namespace jobd::worker {
namespace {

// Version 1.
//
// A queued job that was never started is a row of `specs` alone; its row in `jobs` comes with its first change of state. So a
// submission costs one row per job, and a start or an end rewrites a small row that holds no command.
constexpr const char* kVersion1 = R"sql(
-- Single values: the key of page tokens, the boot these rows were written under, the state of the service.
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per batch. `id` is never used again (AUTOINCREMENT): cgroups and launcher frames are named by it.
CREATE TABLE batches (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  owner          TEXT    NOT NULL,
  correlation_id TEXT    NOT NULL,
  digest         BLOB    NOT NULL,            -- fingerprint of the submission: equal means the same request again
  name           TEXT    NOT NULL,
  labels         BLOB    NOT NULL,
  parallel       INTEGER NOT NULL,
  fail_fast      INTEGER NOT NULL,
  priority       INTEGER NOT NULL,
  hold           INTEGER NOT NULL,            -- as submitted
  held           INTEGER NOT NULL,            -- whether its jobs without a row are HELD (1) or QUEUED (0)
  max_running    INTEGER NOT NULL,            -- the owner's quota when it was submitted; 0: none
  job_count      INTEGER NOT NULL,
  job_rows       INTEGER NOT NULL DEFAULT 0,  -- how many of them have a row in `jobs`
  -- How many jobs are in each state, so that nobody counts rows.
  queued         INTEGER NOT NULL DEFAULT 0,
  held_jobs      INTEGER NOT NULL DEFAULT 0,
  starting       INTEGER NOT NULL DEFAULT 0,
  stopping       INTEGER NOT NULL DEFAULT 0,
  succeeded      INTEGER NOT NULL DEFAULT 0,
  failed         INTEGER NOT NULL DEFAULT 0,
  cancelled      INTEGER NOT NULL DEFAULT 0,
  timed_out      INTEGER NOT NULL DEFAULT 0,
  oom_killed     INTEGER NOT NULL DEFAULT 0,
  lost           INTEGER NOT NULL DEFAULT 0,
  -- Nanoseconds since 1970; 0: not yet.
  created_at     INTEGER NOT NULL,
  started_at     INTEGER NOT NULL DEFAULT 0,
  ended_at       INTEGER NOT NULL DEFAULT 0,
  -- The state of the whole, a number of JobState, as described at BatchView::state: so that asking for batches in a state does not
  -- read a history of others.
  state          INTEGER NOT NULL GENERATED ALWAYS AS (CASE
                   WHEN starting + stopping > 0 THEN 5
                   WHEN queued + held_jobs > 0 THEN iif(started_at = 0, 1, 5)
                   WHEN lost > 0 THEN 12
                   WHEN oom_killed > 0 THEN 11
                   WHEN timed_out > 0 THEN 10
                   WHEN failed > 0 THEN 8
                   WHEN cancelled > 0 THEN 9
                   ELSE 7 END) VIRTUAL
) STRICT;
CREATE UNIQUE INDEX batches_by_name ON batches (owner, correlation_id);
CREATE INDEX batches_by_owner ON batches (owner, id);
CREATE INDEX batches_by_state ON batches (state, id);
CREATE INDEX batches_by_owner_and_state ON batches (owner, state, id);
CREATE INDEX batches_active ON batches (id) WHERE ended_at = 0;
CREATE INDEX batches_ended ON batches (ended_at) WHERE ended_at > 0;
CREATE INDEX batches_ended_by_owner ON batches (owner, ended_at) WHERE ended_at > 0;

-- What was submitted. key = id of the batch * 2^24 + index, so that the jobs of a batch are appended and read in order.
CREATE TABLE specs (
  key   INTEGER PRIMARY KEY,
  spec  BLOB NOT NULL,
  stdin BLOB NOT NULL                         -- last, and by itself: it is long, and only a start reads it
) STRICT;

-- What became of a job, once something did.
CREATE TABLE jobs (
  batch        INTEGER NOT NULL,
  idx          INTEGER NOT NULL,
  state        INTEGER NOT NULL,
  attempt      INTEGER NOT NULL,
  retries_used INTEGER NOT NULL,
  reason       INTEGER NOT NULL,              -- ReasonCode
  reason_text  TEXT    NOT NULL,
  step         TEXT    NOT NULL,
  errno_name   TEXT    NOT NULL,
  by           TEXT    NOT NULL,
  detail       TEXT    NOT NULL,
  exit_code    INTEGER,
  signal       INTEGER,
  started_at   INTEGER NOT NULL,
  ended_at     INTEGER NOT NULL,
  user_cpu     INTEGER NOT NULL,
  system_cpu   INTEGER NOT NULL,
  wall         INTEGER NOT NULL,
  peak_memory  INTEGER NOT NULL,
  read_bytes   INTEGER NOT NULL,
  written_bytes INTEGER NOT NULL,
  voluntary    INTEGER NOT NULL,
  involuntary  INTEGER NOT NULL,
  stdout_bytes INTEGER NOT NULL,
  stderr_bytes INTEGER NOT NULL,
  dropped_bytes INTEGER NOT NULL,
  PRIMARY KEY (batch, idx)
) STRICT, WITHOUT ROWID;
-- Live ones (SCHEDULED to STOPPING): what a restart has to account for.
CREATE INDEX jobs_live ON jobs (batch, idx, state) WHERE state BETWEEN 3 AND 6;

-- When which attempt was started, in an order that only grows within a batch: the order in which a reader of the merged output has
-- to open the jobs' files. log_base: how many index records earlier attempts had left.
CREATE TABLE starts (
  batch    INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  idx      INTEGER NOT NULL,
  attempt  INTEGER NOT NULL,
  log_base INTEGER NOT NULL,
  PRIMARY KEY (batch, seq)
) STRICT, WITHOUT ROWID;
)sql";

// Version 2: what ended batches take is counted as it changes, so that retention never adds up the history.
constexpr const char* kVersion2 = R"sql(
-- What the files of an ended batch take; -1: not measured since it ended.
ALTER TABLE batches ADD COLUMN kept_bytes INTEGER NOT NULL DEFAULT -1;
CREATE INDEX batches_unmeasured ON batches (id) WHERE kept_bytes < 0 AND ended_at > 0;

-- The ended batches of each owner. Triggers alone write it, so that it adds up whatever is done to `batches`.
CREATE TABLE kept (
  owner   TEXT    PRIMARY KEY,
  batches INTEGER NOT NULL,
  bytes   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO kept SELECT owner, count(*), 0 FROM batches WHERE ended_at > 0 GROUP BY owner;

CREATE TRIGGER kept_changes AFTER UPDATE OF ended_at, kept_bytes ON batches
WHEN (old.ended_at > 0) <> (new.ended_at > 0) OR old.kept_bytes <> new.kept_bytes
BEGIN
  INSERT OR IGNORE INTO kept VALUES (new.owner, 0, 0);
  UPDATE kept SET
    batches = batches + (new.ended_at > 0) - (old.ended_at > 0),
    bytes = bytes + iif(new.ended_at > 0, max(new.kept_bytes, 0), 0) - iif(old.ended_at > 0, max(old.kept_bytes, 0), 0)
  WHERE owner = new.owner;
END;
CREATE TRIGGER kept_no_more AFTER DELETE ON batches WHEN old.ended_at > 0
BEGIN
  UPDATE kept SET batches = batches - 1, bytes = bytes - max(old.kept_bytes, 0) WHERE owner = old.owner;
  DELETE FROM kept WHERE owner = old.owner AND batches = 0;
END;
)sql";

// Version 3: the state of a batch is written when it changes, which is a few times in its life. Until then it was generated from
// the counts, so both of its indexes were written again at each start and each end.
constexpr const char* kVersion3 = R"sql(
DROP INDEX batches_by_state;
DROP INDEX batches_by_owner_and_state;
ALTER TABLE batches DROP COLUMN state;
-- The state of the whole, a number of JobState, as described at BatchView::state: so that asking for batches in a state does not
-- read a history of others.
ALTER TABLE batches ADD COLUMN state INTEGER NOT NULL DEFAULT 1;
UPDATE batches SET state = CASE
  WHEN starting + stopping > 0 THEN 5
  WHEN queued + held_jobs > 0 THEN iif(started_at = 0, 1, 5)
  WHEN lost > 0 THEN 12
  WHEN oom_killed > 0 THEN 11
  WHEN timed_out > 0 THEN 10
  WHEN failed > 0 THEN 8
  WHEN cancelled > 0 THEN 9
  ELSE 7 END;
CREATE INDEX batches_by_state ON batches (state, id);
CREATE INDEX batches_by_owner_and_state ON batches (owner, state, id);
)sql";

// Version 4: each owner's batches have numbers; who holds what, and since when; a batch all of whose jobs are held is HELD; a hold
// of a job that runs is kept; the attempts of a job can be told apart in its output.
constexpr const char* kVersion4 = R"sql(
-- The batch's number among those of its owner. It grows with `id`, so that no index of its own is needed to find it.
ALTER TABLE batches ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE batches SET number = n FROM (SELECT id AS batch, row_number() OVER (PARTITION BY owner ORDER BY id) AS n FROM batches)
  WHERE id = batch;
-- The last number that each owner was given: none is given again, whatever is deleted.
CREATE TABLE numbers (
  owner TEXT    PRIMARY KEY,
  last  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO numbers SELECT owner, max(number) FROM batches GROUP BY owner;
CREATE INDEX batches_by_own_name ON batches (owner, name, id) WHERE name <> '';

-- Of its jobs without a row: when they were held or released last (0: with the submission), and who holds them.
ALTER TABLE batches ADD COLUMN held_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN held_by TEXT NOT NULL DEFAULT '';
-- Of a job that is queued or held: since when (0: not known), and who holds it.
ALTER TABLE jobs ADD COLUMN waits_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN held_by TEXT NOT NULL DEFAULT '';
-- Of a job that runs: whether it waits HELD should it be tried again.
ALTER TABLE jobs ADD COLUMN hold_next INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET hold_next = 1 WHERE state BETWEEN 3 AND 6 AND (SELECT held FROM batches WHERE id = batch);

-- The later attempts of one job, in order. First attempts, nearly all there are, are not in it.
CREATE INDEX starts_again ON starts (batch, idx, seq) WHERE attempt > 1;

UPDATE batches SET state = 2 WHERE ended_at = 0 AND starting + stopping + queued = 0 AND held_jobs > 0;
)sql";

// Version 5: who is logged in.
constexpr const char* kVersion5 = R"sql(
-- A row for each session, until it ends. The token itself is nowhere: with what is here nobody can log in.
CREATE TABLE sessions (
  handle     TEXT    PRIMARY KEY,             -- what it is called where people see it
  user       TEXT    NOT NULL,
  host       TEXT    NOT NULL,                -- the host whose certificate it belongs to; empty: the user's own
  thumbprint TEXT    NOT NULL,                -- of that certificate: SHA-256, in hex
  token      BLOB    NOT NULL,                -- SHA-256 of the token's text
  grounds    BLOB    NOT NULL,                -- fingerprint of the user's role and password when they logged in
  max_role   INTEGER NOT NULL,
  -- Nanoseconds since 1970: the login, the token, and the ends of both.
  created_at INTEGER NOT NULL,
  token_at   INTEGER NOT NULL,
  token_ends INTEGER NOT NULL,
  ends       INTEGER NOT NULL,
  -- The same ends by the monotonic clock of this boot, which nobody can set back.
  boot       INTEGER NOT NULL,
  token_ends_monotonic INTEGER NOT NULL,
  ends_monotonic INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Password hashes that were made again at a login, because those in the users file cost less than new ones do.
CREATE TABLE rehashed (
  user     TEXT PRIMARY KEY,
  replaces BLOB NOT NULL,                     -- SHA-256 of the text in the users file: with another one there, this one is void
  hash     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

// kMigrations[n] leads from version n to n + 1.
constexpr std::array<const char*, kSchemaVersion> kMigrations = {kVersion1, kVersion2, kVersion3, kVersion4, kVersion5};

// Checking every page of a larger file would hold up the start: of such a file only the table is checked without which nothing
// works.
constexpr int64_t kFullCheckBytes = 128ll << 20;

base::Error Damaged(std::string_view what) {
  return base::Error(
      base::Code::kDataLoss,
      "the database jobd.db in the state directory is damaged (" + std::string(what) +
          "); nothing was changed. `jobd --restore DIR --replace` takes a backup, `jobd --recover` makes a new one of what the "
          "exit records of jobs prove; both put jobd.db aside. To begin anew, move jobd.db, jobd.db-wal and jobd.db-shm away, "
          "and what is in the log directory: output and exit records of jobs, which are not affected");
}

// An error while the file is examined means damage, unless the disk fails.
base::Error Explain(base::Error error) {
  if (error.code() == base::Code::kDataLoss) return Damaged(error.message());
  return error;
}

// SQLite opens an older database where commits were lost with the log.
base::Status CheckLog(Database& database, int state_dir) {
  JOBD_ASSIGN_OR_RETURN(const LogState log, ExamineLog(state_dir, kDatabaseName));
  if (log == LogState::kDamaged) return Damaged("commits in its log, jobd.db-wal");
  if (log == LogState::kWhole) return base::Ok();
  const std::string note =
      "SELECT count(*) FROM meta WHERE key = '" + std::string(kLogKey) + "' AND value = CAST('" + kLogHasMore + "' AS BLOB)";
  auto misses = database.QueryInt(note.c_str());
  if (!misses.ok()) return Explain(std::move(misses).error());
  return *misses == 0 ? base::Ok()
                      : base::Status(Damaged("its log, jobd.db-wal, is missing or no log, and with it the last commits"));
}

base::Status CheckWhole(Database& database) {
  auto pages = database.QueryInt("PRAGMA page_count");
  if (!pages.ok()) return Explain(std::move(pages).error());
  auto page_size = database.QueryInt("PRAGMA page_size");
  if (!page_size.ok()) return Explain(std::move(page_size).error());
  const bool small = *pages * *page_size <= kFullCheckBytes;
  auto verdict = database.QueryText(small ? "PRAGMA quick_check(1)" : "PRAGMA quick_check(batches)");
  if (!verdict.ok()) return Explain(std::move(verdict).error());
  if (*verdict != "ok") return Damaged(*verdict);
  return base::Ok();
}

}  // namespace

base::Status ConfigureWriter(Database& database) {
  // FULL: a commit is on disk when it returns.
  return database.Execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
      "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -8192; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY;");
}

base::Status ConfigureReader(Database& database) {
  return database.Execute("PRAGMA query_only = ON; PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY;");
}

base::Status CheckDatabase(Database& database) {
  auto application = database.QueryInt("PRAGMA application_id");
  if (!application.ok()) return Explain(std::move(application).error());
  auto version = database.QueryInt("PRAGMA user_version");
  if (!version.ok()) return Explain(std::move(version).error());
  if (*application != kApplicationId || *version < 1) return Damaged("it was not written by jobd");
  if (*version > kSchemaVersion) {
    return base::Error(base::Code::kFailedPrecondition, "the database jobd.db in the state directory is of version " +
                                                            std::to_string(*version) + ", and this jobd knows versions up to " +
                                                            std::to_string(kSchemaVersion) +
                                                            ": install the newer jobd that wrote it; nothing was changed");
  }
  return CheckWhole(database);
}

base::Status PrepareDatabase(Database& database, int state_dir) {
  auto application = database.QueryInt("PRAGMA application_id");
  if (!application.ok()) return Explain(std::move(application).error());
  auto version = database.QueryInt("PRAGMA user_version");
  if (!version.ok()) return Explain(std::move(version).error());
  auto tables = database.QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return Explain(std::move(tables).error());
  const bool fresh = *application == 0 && *version == 0 && *tables == 0;
  if (!fresh) {
    JOBD_RETURN_IF_ERROR(CheckDatabase(database));
    JOBD_RETURN_IF_ERROR(CheckLog(database, state_dir));
  }
  JOBD_RETURN_IF_ERROR(ConfigureWriter(database));
  for (int64_t from = *version; from < kSchemaVersion; ++from) {
    const std::string migration = "BEGIN IMMEDIATE;" + std::string(kMigrations[static_cast<size_t>(from)]) +
                                  "PRAGMA application_id = " + std::to_string(kApplicationId) +
                                  "; PRAGMA user_version = " + std::to_string(from + 1) + "; COMMIT;";
    if (auto done = database.Execute(migration.c_str()); !done.ok()) {
      if (database.in_transaction()) (void)database.Execute("ROLLBACK");
      return std::move(done).error().WithContext("preparing the database");
    }
  }
  database.MoveLogOnClose();
  return base::Ok();
}

}  // namespace jobd::worker
