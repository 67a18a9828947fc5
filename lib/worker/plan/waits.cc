#include "worker/plan/waits.h"

namespace jobd::worker {
namespace {

void AddHold(const WaitQuery::Job& asked, WaitReasons& reasons) {
  // One that was held after it was looked at: who did that is not known here.
  const bool as_read = asked.state == JobState::kHeld;
  reasons.push_back({.code = WaitCode::kHeld, .since = as_read ? asked.since : 0, .by = as_read ? asked.held_by : std::string()});
}

void AddService(const ServiceStanding& service, WaitReasons& reasons) {
  if (service.stopped) {
    reasons.push_back({.code = WaitCode::kServiceStopped, .since = service.stopped_since, .by = service.stopped_by});
  }
  if (!service.disk.empty()) reasons.push_back({.code = WaitCode::kDisk, .since = service.disk_since, .disk = service.disk});
  if (service.recovering) reasons.push_back({.code = WaitCode::kRecovering, .of_service = true});
}

void AddBounds(const Queue::Place& batch, base::Nanos since, WaitReasons& reasons) {
  if (batch.parallel != 0 && batch.running >= batch.parallel) {
    reasons.push_back({.code = WaitCode::kBatchParallel, .since = since, .used = batch.running, .max = batch.parallel});
  }
  if (batch.max_running != 0 && batch.owner_running >= batch.max_running) {
    reasons.push_back({.code = WaitCode::kUserLimit,
                       .since = since,
                       .limit = "max_running",
                       .used = batch.owner_running,
                       .max = batch.max_running});
  }
}

// Where the bounds have room: whose turn is it?
void AddOrder(const Queue::Place::Job& job, const ServiceStanding& service, base::Nanos since, WaitReasons& reasons) {
  const bool full = service.slots_used >= service.slots;
  if (job.before > 0 || !job.exact) {
    reasons.push_back({.code = WaitCode::kTurn, .since = since, .before = job.before, .before_at_least = !job.exact});
  }
  if (full) {
    reasons.push_back({.code = WaitCode::kServiceSlots, .since = since, .used = service.slots_used, .max = service.slots});
  }
}

}  // namespace

WaitReasons WhyItWaits(const WaitQuery::Job& asked, Whereabouts where, const Queue::Place& batch, const Queue::Place::Job& job,
                       const ServiceStanding& service, std::string_view lacked) {
  WaitReasons reasons;
  const bool queued = where == Whereabouts::kInQueue && job.queued;
  const bool held = queued ? job.held : where == Whereabouts::kLeaving && asked.state == JobState::kHeld;
  if (where == Whereabouts::kInQueue && !queued) return reasons;
  if (held) AddHold(asked, reasons);
  AddService(service, reasons);
  if (where == Whereabouts::kLeaving && !lacked.empty()) {
    reasons.push_back({.code = WaitCode::kResource, .since = asked.since, .lacked = std::string(lacked)});
  } else if (where == Whereabouts::kLeaving && !service.recovering) {
    reasons.push_back({.code = WaitCode::kRecovering, .since = asked.since});
  }
  if (queued) AddBounds(batch, asked.since, reasons);
  if (queued && !held) AddOrder(job, service, asked.since, reasons);
  // Nothing keeps it back; of one that is on its way that is said by its state.
  if (reasons.empty() && asked.state != JobState::kScheduled) reasons.push_back({.code = WaitCode::kTurn, .since = asked.since});
  return reasons;
}

}  // namespace jobd::worker
