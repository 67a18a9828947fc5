#include "worker/ops/submit.h"

#include <utility>

namespace jobd::worker {

void SubmitOp::Post(Engine& engine, Submitter submitter, NewBatch batch, std::optional<base::Error> refusal,
                    Callback<Receipt> done) {
  const auto op = std::make_shared<SubmitOp>(engine, std::move(submitter), std::move(batch), std::move(refusal), std::move(done));
  engine.loop.Post([op] { op->Run(); });
}

SubmitOp::SubmitOp(Engine& engine, Submitter submitter, NewBatch batch, std::optional<base::Error> refusal, Callback<Receipt> done)
    : engine_(engine),
      submitter_(std::move(submitter)),
      batch_(std::move(batch)),
      refusal_(std::move(refusal)),
      done_(std::move(done)),
      name_(batch_.name),
      entry_{.owner = submitter_.owner,
             .priority = batch_.options.priority,
             .job_count = static_cast<uint32_t>(batch_.specs.size()),
             .parallel = batch_.options.parallel,
             .held = batch_.options.hold} {}

std::optional<base::Error> SubmitOp::Refusal() const {
  if (auto refused = engine_.service.Refusal()) return refused;
  if (refusal_) return refusal_;
  if (base::Status room = engine_.enqueuer.CheckRoom(submitter_, entry_.job_count); !room.ok()) return std::move(room).error();
  return std::nullopt;
}

void SubmitOp::Run() {
  if (!batch_.refusal) batch_.refusal = Refusal();
  if (!batch_.refusal) {
    reserved_ = entry_.job_count;
    engine_.queue.Reserve(submitter_.owner, reserved_);
  }
  engine_.leases.BeginSubmission(name_);
  // What this turn decided comes first: the store sees everything in the order in which it was decided.
  engine_.journal.Flush();
  engine_.parts.store.Submit(std::move(batch_), [self = shared_from_this()](base::Result<Stored> stored) {
    self->engine_.loop.Post([self, stored = std::move(stored)]() mutable { self->OnStored(std::move(stored)); });
  });
}

void SubmitOp::OnStored(base::Result<Stored> stored) {
  engine_.queue.Reserve(submitter_.owner, -reserved_);
  if (stored.ok() && !stored->receipt.replayed) {
    entry_.id = stored->id;
    engine_.enqueuer.Add(entry_, submitter_.max_running.value_or(0));
    engine_.announcer.NotifyAccepted(entry_.job_count);
  }
  // Whoever asked for its end or for a hold meanwhile is served before anything of it is started.
  engine_.leases.EndSubmission(name_);
  engine_.dispatcher.Dispatch();
  if (!stored.ok()) return done_(std::move(stored).error());
  done_(std::move(stored->receipt));
}

}  // namespace jobd::worker
