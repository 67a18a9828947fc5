#include "worker/ops/cancel.h"

#include <utility>

namespace jobd::worker {

void CancelOp::Post(Engine& engine, JobSelector jobs, Reason reason, std::optional<base::Nanos> grace,
                    Callback<CancelCounts> done) {
  const auto op = std::make_shared<CancelOp>(engine, std::move(jobs), std::move(reason), grace, std::move(done));
  engine.loop.Post([op] { op->Run(); });
}

CancelOp::CancelOp(Engine& engine, JobSelector jobs, Reason reason, std::optional<base::Nanos> grace, Callback<CancelCounts> done)
    : engine_(engine), jobs_(std::move(jobs)), reason_(std::move(reason)), grace_(grace), done_(std::move(done)) {}

void CancelOp::Run() {
  const auto batch = engine_.leases.Find(jobs_);
  if (engine_.leases.DeferBehindSubmission(jobs_.batch, [self = shared_from_this()] { self->Run(); })) {
    // A repeat of a batch that runs by now: its end does not wait for the disk.
    if (batch.ok()) engine_.canceller.EndRunning(batch->view.id, jobs_.index, reason_, grace_);
    return;
  }
  if (!batch.ok()) return done_(batch.error());
  engine_.canceller.Cancel(batch->view.id, jobs_.index, reason_, grace_, done_);
}

}  // namespace jobd::worker
