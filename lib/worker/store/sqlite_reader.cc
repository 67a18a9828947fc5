#include <algorithm>
#include <memory>
#include <set>

#include "worker/store/batch_lookup.h"
#include "worker/store/schema.h"
#include "worker/store/spec_codec.h"
#include "worker/store/sqlite.h"
#include "worker/store/sqlite_accounts.h"
#include "worker/store/sqlite_rows.h"
#include "worker/store/sqlite_store.h"

namespace jobd::worker {
namespace {

bool Wanted(const std::vector<JobState>& states, JobState state) {
  return states.empty() || std::find(states.begin(), states.end(), state) != states.end();
}

bool HasLabels(const BatchView& batch, const std::map<std::string, std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    const auto found = batch.options.labels.find(label.first);
    return found != batch.options.labels.end() && found->second == label.second;
  });
}

JobView ViewOf(uint32_t index, JobSpec spec, const JobRow& row) {
  return JobView{.index = index,
                 .name = std::move(spec.name),
                 .argv = std::move(spec.argv),
                 .shell = spec.shell,
                 .outcome = row.outcome,
                 .attempt = row.attempt,
                 .started_at = row.started_at,
                 .ended_at = row.ended_at,
                 .usage = row.usage,
                 .stdout_bytes = row.stdout_bytes,
                 .stderr_bytes = row.stderr_bytes,
                 .dropped_bytes = row.dropped_bytes,
                 .waits_since = row.waits_since,
                 .held_by = row.held_by};
}

// Since when a job waits, and who holds it, where its row does not say so. Who submits a batch held is who holds it.
void FillWait(const ActiveBatch& batch, JobRow& row) {
  if (row.waits_since == 0) row.waits_since = std::max(batch.view.created_at, batch.held_at);
  if (row.outcome.state != JobState::kHeld || !row.held_by.empty()) return;
  row.held_by = batch.held_by.empty() ? batch.view.name.owner : batch.held_by;
}

class SqliteReader final : public StoreReader {
 public:
  explicit SqliteReader(Database database) : cache_(std::move(database)) {}

  base::Status BeginSnapshot() override { return cache_.database().Execute("BEGIN"); }
  void EndSnapshot() override {
    if (cache_.database().in_transaction()) (void)cache_.database().Execute("COMMIT");
  }

  base::Result<uint64_t> Find(const BatchName& name, bool prefix) override { return FindBatch(cache_, name, prefix); }
  base::Result<uint64_t> FindNumber(const std::string& owner, uint64_t number) override {
    return worker::FindNumber(cache_, owner, number);
  }
  base::Result<uint64_t> FindNewest(const std::string& owner, uint64_t skip) override {
    return worker::FindNewest(cache_, owner, skip);
  }
  base::Result<uint64_t> FindNamed(const std::string& owner, const std::string& name) override {
    return worker::FindNamed(cache_, owner, name);
  }
  base::Result<std::vector<uint32_t>> JobsNamed(uint64_t batch, const std::string& name, uint32_t limit) override {
    return worker::JobsNamed(cache_, batch, name, limit);
  }
  base::Result<JobSummary> FirstJob(uint64_t batch) override { return worker::FirstJob(cache_, batch); }

  base::Result<BatchView> Batch(uint64_t batch) override {
    JOBD_ASSIGN_OR_RETURN(ActiveBatch found, Active(batch));
    return std::move(found.view);
  }

  base::Result<ActiveBatch> Active(uint64_t batch) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select, Prepared(kSelectBatch + "WHERE id = ?1"));
    const StatementScope scope(*select);
    select->Bind(1, batch);
    JOBD_ASSIGN_OR_RETURN(const bool found, select->Step());
    if (!found) return NoSuchBatch();
    return ReadBatch(*select);
  }

  base::Result<std::vector<JobRecord>> Jobs(uint64_t batch, const JobFilter& filter) override {
    JOBD_ASSIGN_OR_RETURN(const ActiveBatch home, Active(batch));
    if (filter.index && (*filter.index == 0 || *filter.index > home.view.job_count)) return NoSuchJob();
    const bool rowless = Wanted(filter.states, home.held ? JobState::kHeld : JobState::kQueued);
    // When only jobs with a row are asked for, these are found by their rows.
    JOBD_ASSIGN_OR_RETURN(Statement* const select,
                          Prepared(std::string("SELECT s.key, s.spec, length(s.stdin), ") + std::string(kJobColumns) +
                                   (rowless ? " FROM specs s LEFT JOIN jobs j ON j.batch = ?3 AND j.idx = (s.key & 16777215) "
                                              "WHERE s.key BETWEEN ?1 AND ?2 ORDER BY s.key"
                                            : " FROM jobs j JOIN specs s ON s.key = ((j.batch << 24) | j.idx) "
                                              "WHERE j.batch = ?3 AND j.idx BETWEEN (?1 & 16777215) AND (?2 & 16777215) "
                                              "ORDER BY j.idx")));
    const uint32_t first = filter.index.value_or(filter.after + 1);
    const uint32_t last = filter.index.value_or(home.view.job_count);
    std::vector<JobRecord> jobs;
    if (first > last) return jobs;
    const StatementScope scope(*select);
    select->Bind(1, SpecKey(batch, first)).Bind(2, SpecKey(batch, last)).Bind(3, batch);
    for (size_t bytes = 0; jobs.size() < filter.limit && (jobs.empty() || bytes < filter.max_bytes);) {
      JOBD_ASSIGN_OR_RETURN(const bool more, select->Step());
      if (!more) break;
      JobRow row;
      if (select->IsNull(3)) {
        row.outcome.state = home.held ? JobState::kHeld : JobState::kQueued;
      } else {
        row = ReadJobRow(*select, 3);
      }
      FillWait(home, row);
      if (!Wanted(filter.states, row.outcome.state)) continue;
      bytes += select->Bytes(1).size();
      JOBD_ASSIGN_OR_RETURN(JobSpec spec, DecodeSpec(select->Bytes(1)));
      const auto asked = filter.with_settings ? std::make_shared<const JobSpec>(spec) : nullptr;
      JobView view = ViewOf(IndexOfSpecKey(select->Uint(0)), std::move(spec), row);
      view.asked = asked;
      if (asked) view.stdin_bytes = select->Uint(2);
      jobs.push_back({std::move(view), std::move(row)});
    }
    return jobs;
  }

  base::Result<std::vector<BatchView>> List(const BatchQuery& query, uint64_t before, uint32_t limit) override {
    std::vector<BatchView> batches;
    if (query.states.empty()) {
      JOBD_RETURN_IF_ERROR(ListOne(query, std::nullopt, before, limit, batches));
      return batches;
    }
    // An index gives one state in order; several are merged.
    const std::set<JobState> states(query.states.begin(), query.states.end());
    for (const JobState state : states) JOBD_RETURN_IF_ERROR(ListOne(query, state, before, limit, batches));
    std::sort(batches.begin(), batches.end(), [](const BatchView& a, const BatchView& b) { return a.id > b.id; });
    if (batches.size() > limit) batches.resize(limit);
    return batches;
  }

  base::Result<std::optional<JobRow>> Row(uint64_t batch, uint32_t index) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select,
                          Prepared("SELECT " + std::string(kJobColumns) + " FROM jobs WHERE batch = ?1 AND idx = ?2"));
    const StatementScope scope(*select);
    select->Bind(1, batch).Bind(2, index);
    JOBD_ASSIGN_OR_RETURN(const bool found, select->Step());
    if (!found) return std::optional<JobRow>();
    return std::optional<JobRow>(ReadJobRow(*select, 0));
  }

  base::Result<std::vector<IndexedRow>> Rows(uint64_t batch, uint32_t after, uint32_t limit) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select, Prepared("SELECT idx, " + std::string(kJobColumns) +
                                                            " FROM jobs WHERE batch = ?1 AND idx > ?2 ORDER BY idx LIMIT ?3"));
    select->Bind(1, batch).Bind(2, after).Bind(3, limit);
    return IndexedRows(*select);
  }

  base::Result<JobSpec> Spec(uint64_t batch, uint32_t index) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select, Prepared("SELECT spec, stdin FROM specs WHERE key = ?1"));
    const StatementScope scope(*select);
    select->Bind(1, SpecKey(batch, index));
    JOBD_ASSIGN_OR_RETURN(const bool found, select->Step());
    if (!found) return NoSuchJob();
    JOBD_ASSIGN_OR_RETURN(JobSpec spec, DecodeSpec(select->Bytes(0)));
    spec.stdin_data = select->Bytes(1);
    return spec;
  }

  base::Result<std::vector<EncodedSpec>> Specs(uint64_t batch, uint32_t first, uint32_t limit, size_t max_bytes) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select,
                          Prepared("SELECT key, spec, stdin FROM specs WHERE key BETWEEN ?1 AND ?2 ORDER BY key"));
    const StatementScope scope(*select);
    select->Bind(1, SpecKey(batch, first)).Bind(2, SpecKey(batch, kMaxJobIndex));
    std::vector<EncodedSpec> specs;
    // A spec that fills the slice by itself is the last: a step reads the whole row, standard input and all.
    for (size_t bytes = 0; specs.size() < limit && (specs.empty() || bytes < max_bytes);) {
      JOBD_ASSIGN_OR_RETURN(const bool more, select->Step());
      if (!more || select->Uint(0) != SpecKey(batch, first) + specs.size()) break;
      bytes += select->Bytes(1).size() + select->Bytes(2).size();
      if (!specs.empty() && bytes > max_bytes) break;
      specs.push_back({.spec = select->String(1), .stdin_data = select->String(2)});
    }
    if (specs.empty()) return NoSuchJob();
    return specs;
  }

  base::Result<std::vector<StartRow>> Starts(uint64_t batch, int64_t after, uint32_t limit) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select, Prepared("SELECT seq, idx, attempt, log_base FROM starts WHERE batch = ?1 AND "
                                                            "seq > ?2 ORDER BY seq LIMIT ?3"));
    select->Bind(1, batch).Bind(2, after).Bind(3, limit);
    return StartRows(*select);
  }

  base::Result<std::vector<StartRow>> StartsAgain(uint64_t batch, uint32_t index) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select,
                          Prepared("SELECT seq, idx, attempt, log_base FROM starts INDEXED BY starts_again WHERE batch = ?1 AND "
                                   "idx = ?2 AND attempt > 1 ORDER BY seq LIMIT 10000"));
    select->Bind(1, batch).Bind(2, index);
    return StartRows(*select);
  }

  base::Result<int64_t> LastStart(uint64_t batch) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select, Prepared("SELECT coalesce(max(seq), 0) FROM starts WHERE batch = ?1"));
    const StatementScope scope(*select);
    select->Bind(1, batch);
    JOBD_ASSIGN_OR_RETURN(const bool found, select->Step());
    return found ? select->Int(0) : int64_t{0};
  }

  base::Result<std::vector<uint32_t>> Unfinished(uint64_t batch, uint32_t after, uint32_t limit) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select,
                          Prepared("SELECT idx FROM jobs WHERE batch = ?1 AND idx > ?2 AND state < 7 AND attempt > 0 "
                                   "ORDER BY idx LIMIT ?3"));
    const StatementScope scope(*select);
    select->Bind(1, batch).Bind(2, after).Bind(3, limit);
    std::vector<uint32_t> indexes;
    for (;;) {
      JOBD_ASSIGN_OR_RETURN(const bool more, select->Step());
      if (!more) return indexes;
      indexes.push_back(select->Uint32(0));
    }
  }

  base::Result<std::vector<IndexedRow>> LastEnded(uint64_t batch, uint32_t skip, uint32_t limit) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select,
                          Prepared("SELECT idx, " + std::string(kJobColumns) +
                                   " FROM jobs WHERE batch = ?1 AND state >= 7 AND attempt > 0 ORDER BY ended_at DESC, idx DESC "
                                   "LIMIT ?3 OFFSET ?2"));
    select->Bind(1, batch).Bind(2, skip).Bind(3, limit);
    return IndexedRows(*select);
  }

  base::Result<std::vector<LiveRow>> Live(uint64_t batch) override {
    JOBD_ASSIGN_OR_RETURN(
        Statement* const select,
        Prepared(batch == 0
                     ? "SELECT batch, idx, hold_next FROM jobs INDEXED BY jobs_live WHERE state BETWEEN 3 AND 6 ORDER BY batch, idx"
                     : "SELECT batch, idx, hold_next FROM jobs INDEXED BY jobs_live WHERE state BETWEEN 3 AND 6 AND batch = ?1"));
    const StatementScope scope(*select);
    if (batch != 0) select->Bind(1, batch);
    std::vector<LiveRow> rows;
    for (;;) {
      JOBD_ASSIGN_OR_RETURN(const bool more, select->Step());
      if (!more) return rows;
      rows.push_back({.batch = select->Uint(0), .index = select->Uint32(1), .hold_next = select->Int(2) != 0});
    }
  }

  base::Result<std::vector<ActiveBatch>> Actives(uint64_t after, uint32_t limit) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select, Prepared(kSelectBatch + "WHERE ended_at = 0 AND id > ?1 ORDER BY id LIMIT ?2"));
    const StatementScope scope(*select);
    select->Bind(1, after).Bind(2, limit);
    std::vector<ActiveBatch> batches;
    for (;;) {
      JOBD_ASSIGN_OR_RETURN(const bool more, select->Step());
      if (!more) return batches;
      JOBD_ASSIGN_OR_RETURN(ActiveBatch batch, ReadBatch(*select));
      batches.push_back(std::move(batch));
    }
  }

  base::Result<std::vector<BatchView>> EndedBefore(const std::string& owner, base::Nanos time, EndedPlace after,
                                                   uint32_t limit) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select,
                          Prepared(kSelectBatch + (owner.empty() ? "WHERE " : "WHERE owner = ?5 AND ") +
                                   "ended_at > 0 AND ended_at < ?1 AND (ended_at, id) > (?2, ?3) ORDER BY ended_at, id LIMIT ?4"));
    const StatementScope scope(*select);
    select->Bind(1, time).Bind(2, after.ended_at).Bind(3, after.id).Bind(4, limit);
    if (!owner.empty()) select->BindText(5, owner);
    return BatchViews(*select);
  }

  base::Result<std::vector<BatchView>> Unmeasured(uint32_t limit) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select,
                          Prepared(kSelectBatch + "WHERE kept_bytes < 0 AND ended_at > 0 ORDER BY id LIMIT ?1"));
    const StatementScope scope(*select);
    select->Bind(1, limit);
    return BatchViews(*select);
  }

  base::Result<std::vector<OwnerUsage>> RetainedUsage() override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select, Prepared("SELECT owner, batches, bytes FROM kept WHERE batches > 0"));
    const StatementScope scope(*select);
    std::vector<OwnerUsage> rows;
    for (;;) {
      JOBD_ASSIGN_OR_RETURN(const bool more, select->Step());
      if (!more) return rows;
      rows.push_back({.owner = select->String(0), .batches = select->Uint(1), .bytes = select->Uint(2)});
    }
  }

  base::Result<std::vector<SessionRecord>> Sessions() override { return ReadSessions(cache_); }
  base::Result<std::vector<RehashedPassword>> Rehashed() override { return ReadRehashed(cache_); }
  base::Result<OwnerUse> Use(const std::string& owner) override { return ReadUse(cache_, owner); }

  base::Result<std::optional<std::string>> Meta(const std::string& key) override {
    JOBD_ASSIGN_OR_RETURN(Statement* const select, Prepared("SELECT value FROM meta WHERE key = ?1"));
    const StatementScope scope(*select);
    select->BindText(1, key);
    JOBD_ASSIGN_OR_RETURN(const bool found, select->Step());
    return found ? std::optional<std::string>(select->String(0)) : std::nullopt;
  }

 private:
  static inline const std::string kSelectBatch = "SELECT " + std::string(kBatchColumns) + " FROM batches ";

  // Appends up to `limit` batches, of one state or of all.
  base::Status ListOne(const BatchQuery& query, std::optional<JobState> state, uint64_t before, uint32_t limit,
                       std::vector<BatchView>& batches) {
    const std::string where = std::string("WHERE ") + (query.owner ? "owner = ?2 AND " : "") + (state ? "state = ?3 AND " : "");
    JOBD_ASSIGN_OR_RETURN(Statement* const select, Prepared(kSelectBatch + where + "id < ?1 ORDER BY id DESC"));
    const StatementScope scope(*select);
    select->Bind(1, before == 0 ? INT64_MAX : static_cast<int64_t>(before));
    if (query.owner) select->BindText(2, *query.owner);
    if (state) select->Bind(3, static_cast<int>(*state));
    for (uint32_t found = 0; found < limit;) {
      JOBD_ASSIGN_OR_RETURN(const bool more, select->Step());
      if (!more) break;
      JOBD_ASSIGN_OR_RETURN(ActiveBatch batch, ReadBatch(*select));
      if (!HasLabels(batch.view, query.labels)) continue;
      batches.push_back(std::move(batch.view));
      ++found;
    }
    return base::Ok();
  }

  base::Result<Statement*> Prepared(const std::string& sql) { return cache_.Prepared(sql); }

  static base::Result<std::vector<BatchView>> BatchViews(Statement& select) {
    std::vector<BatchView> batches;
    for (;;) {
      JOBD_ASSIGN_OR_RETURN(const bool more, select.Step());
      if (!more) return batches;
      JOBD_ASSIGN_OR_RETURN(ActiveBatch batch, ReadBatch(select));
      batches.push_back(std::move(batch.view));
    }
  }

  static base::Result<std::vector<StartRow>> StartRows(Statement& select) {
    const StatementScope scope(select);
    std::vector<StartRow> starts;
    for (;;) {
      JOBD_ASSIGN_OR_RETURN(const bool more, select.Step());
      if (!more) return starts;
      starts.push_back({.seq = select.Int(0), .index = select.Uint32(1), .attempt = select.Uint32(2), .log_base = select.Uint(3)});
    }
  }

  static base::Result<std::vector<IndexedRow>> IndexedRows(Statement& select) {
    const StatementScope scope(select);
    std::vector<IndexedRow> rows;
    for (;;) {
      JOBD_ASSIGN_OR_RETURN(const bool more, select.Step());
      if (!more) return rows;
      rows.push_back({.index = select.Uint32(0), .row = ReadJobRow(select, 1)});
    }
  }

  StatementCache cache_;
};

}  // namespace

base::Result<std::unique_ptr<StoreReader>> OpenSqliteReader(const std::string& path) {
  JOBD_ASSIGN_OR_RETURN(Database database, Database::Open(path, false));
  JOBD_RETURN_IF_ERROR(ConfigureReader(database));
  return std::unique_ptr<StoreReader>(std::make_unique<SqliteReader>(std::move(database)));
}

}  // namespace jobd::worker
