#include "worker/catalogue/query.h"

#include <algorithm>

#include "base/bounds.h"
#include "base/wire.h"
#include "worker/store/sqlite_rows.h"

namespace jobd::worker {
namespace {

// What must be the same when a page token is used: the query without its page.
std::string JobsContext(const JobQuery& query, uint64_t batch) {
  base::WireWriter context;
  context.Text("jobs");
  context.Text(query.batch.owner);
  context.Number(batch);
  context.Number(query.index ? 1 + uint64_t{*query.index} : 0);
  for (const JobState state : query.states) context.Number(static_cast<uint64_t>(state));
  return context.Take();
}

std::string BatchesContext(const BatchQuery& query) {
  base::WireWriter context;
  context.Text("batches");
  context.Number(query.owner ? 1 : 0);
  context.Text(query.owner.value_or(""));
  for (const JobState state : query.states) context.Number(static_cast<uint64_t>(state));
  for (const auto& [key, value] : query.labels) {
    context.Text(key);
    context.Text(value);
  }
  return context.Take();
}

base::Result<uint64_t> OpenToken(const base::TokenSigner& signer, const std::string& context, const std::string& token) {
  if (token.empty()) return uint64_t{0};
  JOBD_ASSIGN_OR_RETURN(const std::string payload, signer.Verify(context, token, "page_token"));
  base::WireReader in(payload);
  return in.Number();
}

std::string CloseToken(const base::TokenSigner& signer, const std::string& context, uint64_t position) {
  base::WireWriter payload;
  payload.Number(position);
  return signer.Sign(context, payload.bytes());
}

bool Wanted(const std::vector<JobState>& states, JobState state) {
  return states.empty() || std::find(states.begin(), states.end(), state) != states.end();
}

// The states of the rows to read for these states. A row says STARTING where the job is in fact SCHEDULED or RUNNING. Until its
// start is committed, a SCHEDULED job is found under QUEUED only, so that a query for live jobs need not read all that wait.
std::vector<JobState> StoredStates(std::vector<JobState> states) {
  const bool live = std::any_of(states.begin(), states.end(),
                                [](JobState state) { return state == JobState::kScheduled || state == JobState::kRunning; });
  if (live && !Wanted(states, JobState::kStarting)) states.push_back(JobState::kStarting);
  return states;
}

// The state to show of a job whose row says `stored` of this attempt. `live` may be older than the row, or ahead of it.
JobState StateShown(JobState stored, uint32_t attempt, const LiveView& live) {
  if (stored == JobState::kStarting && live.attempt == attempt) return live.state;
  const bool being_recorded = live.state == JobState::kScheduled && live.attempt == attempt + 1;
  return stored == JobState::kQueued && being_recorded ? JobState::kScheduled : stored;
}

class Snapshot {
 public:
  static base::Result<Snapshot> Begin(CatalogueReader& reader) {
    JOBD_RETURN_IF_ERROR(reader.BeginSnapshot());
    return Snapshot(reader);
  }
  Snapshot(Snapshot&& other) noexcept : reader_(std::exchange(other.reader_, nullptr)) {}
  Snapshot& operator=(Snapshot&&) = delete;
  ~Snapshot() {
    if (reader_ != nullptr) reader_->EndSnapshot();
  }

 private:
  explicit Snapshot(CatalogueReader& reader) : reader_(&reader) {}
  CatalogueReader* reader_;
};

}  // namespace

void Overlay(const std::map<uint32_t, LiveView>& live, JobView& job) {
  const auto found = live.find(job.index);
  if (found == live.end()) return;
  const JobState stored = job.outcome.state;
  job.outcome.state = StateShown(stored, job.attempt, found->second);
  const bool started = stored == JobState::kStarting || stored == JobState::kStopping;
  if (started && found->second.attempt == job.attempt) job.started_at = found->second.started_at;
}

base::Status OverlayCounts(CatalogueReader& reader, const std::map<uint32_t, LiveView>& live, BatchView& batch) {
  for (const auto& [index, job] : live) {
    if (job.state == JobState::kStarting) continue;
    JOBD_ASSIGN_OR_RETURN(const auto row, reader.Row(batch.id, index));
    const JobRow stored = row.value_or(JobRow{});
    const JobState shown = StateShown(stored.outcome.state, stored.attempt, job);
    const auto counted = batch.counts.find(stored.outcome.state);
    if (shown == stored.outcome.state || counted == batch.counts.end()) continue;
    ++batch.counts[shown];
    if (--counted->second == 0) batch.counts.erase(counted);
  }
  batch.state = SummaryState(batch);
  return base::Ok();
}

base::Result<JobPage> QueryBatch(CatalogueReader& reader, const LiveOverlay& live, const base::TokenSigner& signer,
                                 const JobQuery& query) {
  JOBD_ASSIGN_OR_RETURN(const uint64_t id, reader.Find(query.batch, true));
  const std::string context = JobsContext(query, id);
  JOBD_ASSIGN_OR_RETURN(const uint64_t after, OpenToken(signer, context, query.page_token));
  const auto running = live.Of(id);
  JOBD_ASSIGN_OR_RETURN(const Snapshot snapshot, Snapshot::Begin(reader));
  JobPage page;
  JOBD_ASSIGN_OR_RETURN(page.batch, reader.Batch(id));
  JOBD_RETURN_IF_ERROR(OverlayCounts(reader, running, page.batch));
  const uint32_t limit = query.page_size == 0 ? base::kMaxPageRows : std::min(query.page_size, base::kMaxPageRows);
  JobFilter filter{.index = query.index,
                   .states = StoredStates(query.states),
                   .after = static_cast<uint32_t>(after),
                   .limit = limit,
                   .with_settings = query.with_settings};
  JOBD_ASSIGN_OR_RETURN(auto jobs, reader.Jobs(id, filter));
  const uint32_t last = jobs.empty() ? 0 : jobs.back().view.index;
  for (JobRecord& job : jobs) {
    Overlay(running, job.view);
    const JobState shown = job.view.outcome.state;
    const bool being_recorded = shown == JobState::kScheduled && Wanted(query.states, job.row.outcome.state);
    if (being_recorded || Wanted(query.states, shown)) page.jobs.push_back(std::move(job.view));
  }
  if (query.index || last == 0 || last == page.batch.job_count) return page;
  // One look ahead saves the client an empty page.
  filter.after = last;
  filter.limit = 1;
  JOBD_ASSIGN_OR_RETURN(const auto more, reader.Jobs(id, filter));
  if (!more.empty()) page.next_page_token = CloseToken(signer, context, last);
  return page;
}

base::Result<BatchPage> QueryBatches(CatalogueReader& reader, const LiveOverlay& live, const base::TokenSigner& signer,
                                     const BatchQuery& query) {
  const std::string context = BatchesContext(query);
  JOBD_ASSIGN_OR_RETURN(const uint64_t before, OpenToken(signer, context, query.page_token));
  const uint32_t limit = query.page_size == 0 ? base::kDefaultPageBatches : std::min(query.page_size, base::kMaxPageRows);
  BatchPage page;
  JOBD_ASSIGN_OR_RETURN(page.batches, reader.List(query, before, limit + 1));
  if (page.batches.size() > limit) {
    page.batches.pop_back();
    page.next_page_token = CloseToken(signer, context, page.batches.back().id);
  }
  for (BatchView& batch : page.batches) {
    JOBD_RETURN_IF_ERROR(OverlayCounts(reader, live.Of(batch.id), batch));
    // One that is removed meanwhile, or too long for a line, is shown without.
    if (auto job = reader.FirstJob(batch.id); job.ok()) batch.first_job = std::move(*job);
  }
  return page;
}

}  // namespace jobd::worker
