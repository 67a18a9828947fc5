#include "worker/run/reconciler.h"

#include <string>
#include <utility>

#include "launch/contract/exit_file.h"
#include "worker/launcher/launch_build.h"

namespace jobd::worker {
namespace {

constexpr uint32_t kBatchesAtOnce = 1000;
constexpr uint32_t kRowsAtOnce = 10'000;

}  // namespace

base::Status Reconciler::Restore() {
  JOBD_RETURN_IF_ERROR(parts_.service.Restore(parts_.reader));
  JOBD_RETURN_IF_ERROR(RestoreQueue());
  JOBD_RETURN_IF_ERROR(RestoreLive());
  const std::string boot = std::to_string(launch::BootTag());
  JOBD_ASSIGN_OR_RETURN(const auto last_boot, parts_.reader.Meta("boot"));
  JOBD_RETURN_IF_ERROR(parts_.launcher.Recover(earlier_, last_boot && *last_boot != boot));
  // Behind what was just decided: whoever restarts before that is committed decides it again, for the same reasons.
  if (!last_boot || *last_boot != boot) {
    parts_.journal.Append({PutMeta{.key = "boot", .value = boot}}, [](const base::Status&) {
      // Not stored: the next start takes this boot for another one, and jobs without a record for LOST. That is the safe side.
    });
  }
  return base::Ok();
}

base::Status Reconciler::RestoreQueue() {
  for (uint64_t after = 0;;) {
    JOBD_ASSIGN_OR_RETURN(const auto batches, parts_.reader.Actives(after, kBatchesAtOnce));
    for (const ActiveBatch& batch : batches) JOBD_RETURN_IF_ERROR(RestoreBatch(batch));
    if (batches.size() < kBatchesAtOnce) return base::Ok();
    after = batches.back().view.id;
  }
}

base::Status Reconciler::RestoreBatch(const ActiveBatch& batch) {
  const uint64_t id = batch.view.id;
  parts_.enqueuer.Add(batch);
  if (batch.job_rows == 0) return base::Ok();
  for (uint32_t after = 0;;) {
    JOBD_ASSIGN_OR_RETURN(const auto rows, parts_.reader.Rows(id, after, kRowsAtOnce));
    for (const IndexedRow& one : rows) {
      parts_.queue.Dequeue(id, one.index);
      const JobState state = one.row.outcome.state;
      if (state != JobState::kQueued && state != JobState::kHeld) continue;
      parts_.queue.Requeue(id, one.index, false);
      if (state == JobState::kHeld) parts_.queue.HoldJob(id, one.index);
    }
    if (rows.size() < kRowsAtOnce) return base::Ok();
    after = rows.back().index;
  }
}

base::Status Reconciler::RestoreLive() {
  JOBD_ASSIGN_OR_RETURN(const auto live, parts_.reader.Live(0));
  earlier_.reserve(live.size());
  for (const LiveRow& one : live) JOBD_RETURN_IF_ERROR(RestoreJob(one));
  return base::Ok();
}

base::Status Reconciler::RestoreJob(const LiveRow& live) {
  JOBD_ASSIGN_OR_RETURN(auto row, parts_.reader.Row(live.batch, live.index));
  if (!row) return base::Ok();
  JOBD_ASSIGN_OR_RETURN(const LiveBatch* const batch, parts_.table.FindOrRead(parts_.reader, live.batch));
  const launch::JobKey key{.batch = live.batch, .index = live.index, .attempt = row->attempt};
  const BatchPlace place{.batch = live.batch, .name = batch->name, .job_count = batch->job_count};
  if (row->outcome.state == JobState::kStarting || row->outcome.state == JobState::kRunning) {
    // The disk may have kept it from being recorded that it was told to end.
    if (auto why = parts_.launcher.KeptReason(place, key)) {
      row->outcome = Outcome{.state = JobState::kStopping, .reason = *std::move(why)};
      parts_.journal.Append({PutJob{.batch = live.batch, .index = live.index, .row = *row}}, {});
    }
  }
  const bool stopping = row->outcome.state == JobState::kStopping;
  LiveJob job{.key = key,
              .state = stopping ? LiveState::kStopping : LiveState::kLaunching,
              .row = std::move(*row),
              .slot = parts_.pools.TakeBeyond(Pools::kDefault)};
  if (stopping) job.stop_reason = job.row.outcome.reason;
  job.hold_next = live.hold_next;
  parts_.queue.Adopt(live.batch);
  if (auto spec = parts_.reader.Spec(live.batch, live.index); spec.ok()) {
    job.bounds = BoundsOf(*spec, parts_.limits);
    job.kill_after = KillAfterOf(*spec, parts_.limits);
    job.retries = spec->retries;
  }
  earlier_.push_back({.key = job.key, .place = place, .stopping = stopping, .grace = job.kill_after});
  parts_.table.Add(std::move(job));
  return base::Ok();
}

}  // namespace jobd::worker
