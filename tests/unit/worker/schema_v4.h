// A database as jobd of schema version 4 left it. Frozen: it stands for files that exist, whatever the code says today.
#pragma once

namespace jobd::worker {

inline constexpr const char* kDatabaseV4 = R"sql(
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE batches (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  owner          TEXT    NOT NULL,
  correlation_id TEXT    NOT NULL,
  digest         BLOB    NOT NULL,
  name           TEXT    NOT NULL,
  labels         BLOB    NOT NULL,
  parallel       INTEGER NOT NULL,
  fail_fast      INTEGER NOT NULL,
  priority       INTEGER NOT NULL,
  hold           INTEGER NOT NULL,
  held           INTEGER NOT NULL,
  max_running    INTEGER NOT NULL,
  job_count      INTEGER NOT NULL,
  job_rows       INTEGER NOT NULL DEFAULT 0,
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
  created_at     INTEGER NOT NULL,
  started_at     INTEGER NOT NULL DEFAULT 0,
  ended_at       INTEGER NOT NULL DEFAULT 0
, kept_bytes INTEGER NOT NULL DEFAULT -1, state INTEGER NOT NULL DEFAULT 1, number INTEGER NOT NULL DEFAULT 0,
    held_at INTEGER NOT NULL DEFAULT 0, held_by TEXT NOT NULL DEFAULT '') STRICT;
CREATE TABLE specs (
  key   INTEGER PRIMARY KEY,
  spec  BLOB NOT NULL,
  stdin BLOB NOT NULL
) STRICT;
CREATE TABLE jobs (
  batch        INTEGER NOT NULL,
  idx          INTEGER NOT NULL,
  state        INTEGER NOT NULL,
  attempt      INTEGER NOT NULL,
  retries_used INTEGER NOT NULL,
  reason       INTEGER NOT NULL,
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
  dropped_bytes INTEGER NOT NULL, waits_since INTEGER NOT NULL DEFAULT 0, held_by TEXT NOT NULL DEFAULT '',
    hold_next INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (batch, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE starts (
  batch    INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  idx      INTEGER NOT NULL,
  attempt  INTEGER NOT NULL,
  log_base INTEGER NOT NULL,
  PRIMARY KEY (batch, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE kept (
  owner   TEXT    PRIMARY KEY,
  batches INTEGER NOT NULL,
  bytes   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE numbers (
  owner TEXT    PRIMARY KEY,
  last  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX batches_by_name ON batches (owner, correlation_id);
CREATE INDEX batches_by_owner ON batches (owner, id);
CREATE INDEX batches_active ON batches (id) WHERE ended_at = 0;
CREATE INDEX batches_ended ON batches (ended_at) WHERE ended_at > 0;
CREATE INDEX batches_ended_by_owner ON batches (owner, ended_at) WHERE ended_at > 0;
CREATE INDEX jobs_live ON jobs (batch, idx, state) WHERE state BETWEEN 3 AND 6;
CREATE INDEX batches_unmeasured ON batches (id) WHERE kept_bytes < 0 AND ended_at > 0;
CREATE INDEX batches_by_state ON batches (state, id);
CREATE INDEX batches_by_owner_and_state ON batches (owner, state, id);
CREATE INDEX batches_by_own_name ON batches (owner, name, id) WHERE name <> '';
CREATE INDEX starts_again ON starts (batch, idx, seq) WHERE attempt > 1;
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
PRAGMA application_id = 1785684580;
PRAGMA user_version = 4;
-- Two batches that have ended, of two owners, and one of which a job ended and one waits.
INSERT INTO batches (id, owner, correlation_id, digest, name, labels, parallel, fail_fast, priority, hold, held, max_running,
    job_count, job_rows, queued, held_jobs, starting, stopping, succeeded, failed, cancelled, timed_out, oom_killed, lost,
    created_at, started_at, ended_at, kept_bytes, state, number, held_at, held_by) VALUES
  (1, 'ann', 'done', x'01', 'nightly', x'00', 0, 0, 2, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1600000000000000000,
    1600000001000000000, 1600000002000000000, -1, 7, 1, 0, ''),
  (2, 'bob', 'failed', x'02', '', x'00', 0, 0, 2, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1600000000000000000,
    1600000001000000000, 1600000003000000000, -1, 8, 1, 0, ''),
  (3, 'ann', 'waiting', x'03', '', x'00', 0, 0, 2, 1, 1, 0, 2, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1600000000000000000,
    1600000001000000000, 0, -1, 2, 2, 0, '');
INSERT INTO specs (key, spec, stdin) VALUES
  (16777217, x'0100000104747275650000000000000000000000', x''),
  (33554433, x'0100000104747275650000000000000000000000', x''),
  (50331649, x'0100000104747275650000000000000000000000', x''),
  (50331650, x'0100000104747275650000000000000000000000', x'');
INSERT INTO jobs (batch, idx, state, attempt, retries_used, reason, reason_text, step, errno_name, by, detail, exit_code,
    signal, started_at, ended_at, user_cpu, system_cpu, wall, peak_memory, read_bytes, written_bytes, voluntary, involuntary,
    stdout_bytes, stderr_bytes, dropped_bytes, waits_since, held_by, hold_next) VALUES
  (1, 1, 7, 1, 0, 1, 'exit 0', '', '', '', '', 0, NULL, 1600000001000000000, 1600000002000000000, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    10, 11, 0, '', 0),
  (2, 1, 8, 1, 0, 1, 'exit 3', '', '', '', '', 3, NULL, 1600000001000000000, 1600000003000000000, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, '', 0),
  (3, 1, 7, 1, 0, 1, 'exit 0', '', '', '', '', 0, NULL, 1600000001000000000, 1600000002000000000, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, '', 0);
INSERT INTO starts (batch, seq, idx, attempt, log_base) VALUES
  (1, 1, 1, 1, 0),
  (2, 1, 1, 1, 0),
  (3, 1, 1, 1, 0);
INSERT INTO numbers (owner, last) VALUES
  ('ann', 2),
  ('bob', 1);
INSERT INTO kept VALUES ('ann', 1, 0), ('bob', 1, 0);
)sql";

}  // namespace jobd::worker
