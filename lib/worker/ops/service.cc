#include "worker/ops/service.h"

#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace jobd::worker {
namespace {

void Set(Engine& engine, ServiceState state, const std::string& by, Callback<ServiceState> done) {
  engine.service.Set(state, by, std::move(done));
  engine.dispatcher.Dispatch();
}

// Cancels every batch that there is. One answer, when the last of them is done and the service's state is recorded, or is not.
class StopNow : public std::enable_shared_from_this<StopNow> {
 public:
  StopNow(Engine& engine, std::string by, Callback<uint32_t> done) : engine_(engine), by_(std::move(by)), done_(std::move(done)) {}

  void Run() {
    Set(engine_, ServiceState::kStopped, by_, [self = shared_from_this()](const base::Result<ServiceState>& state) {
      self->OnPart(state.ok() ? base::Result<uint32_t>(0u) : base::Result<uint32_t>(state.error()));
    });
    // What is being submitted was accepted before the stop, or will be refused. What comes while we wait for it is refused, and not
    // waited for: somebody may always be asking.
    if (!engine_.leases.DeferBehindSubmissions([self = shared_from_this()] { self->CancelBatches(); })) return CancelBatches();
    // That may take as long as the disk likes. What runs is ended now.
    for (const auto& [id, batch] : engine_.table.batches()) {
      engine_.canceller.EndRunning(id, std::nullopt, CancelledByStop(by_), std::nullopt);
    }
  }

 private:
  void CancelBatches() {
    std::set<uint64_t> batches;
    for (const uint64_t id : engine_.queue.Batches()) batches.insert(id);
    for (const auto& [id, batch] : engine_.table.batches()) batches.insert(id);
    for (const uint64_t id : engine_.leases.Retried()) batches.insert(id);
    left_ += batches.size();
    for (const uint64_t id : batches) {
      engine_.canceller.Cancel(id, std::nullopt, CancelledByStop(by_), std::nullopt,
                               [self = shared_from_this()](const base::Result<CancelCounts>& counts) {
                                 self->OnPart(counts.ok() ? base::Result<uint32_t>(counts->cancelled + counts->stopping)
                                                          : base::Result<uint32_t>(counts.error()));
                               });
    }
    OnPart(0u);
  }
  void OnPart(const base::Result<uint32_t>& part) {
    if (part.ok()) {
      cancelled_ += *part;
    } else if (!failure_) {
      failure_ = part.error();
    }
    if (--left_ == 0) done_(failure_ ? base::Result<uint32_t>(*failure_) : base::Result<uint32_t>(cancelled_));
  }

  Engine& engine_;
  const std::string by_;
  const Callback<uint32_t> done_;
  size_t left_ = 2;  // the state's record, and the round of the batches
  uint32_t cancelled_ = 0;
  std::optional<base::Error> failure_;
};

}  // namespace

void PostStart(Engine& engine, Callback<ServiceState> done) {
  engine.loop.Post([&engine, done = std::move(done)] { Set(engine, ServiceState::kRunning, "", done); });
}

void PostDrain(Engine& engine, std::string by, Callback<ServiceState> done) {
  engine.loop.Post([&engine, by = std::move(by), done = std::move(done)] {
    const bool runs = engine.service.state() == ServiceState::kRunning;
    Set(engine, runs ? ServiceState::kDraining : engine.service.state(), by, done);
  });
}

void PostStop(Engine& engine, bool now, std::string by, Callback<uint32_t> done) {
  engine.loop.Post([&engine, now, by = std::move(by), done = std::move(done)] {
    if (now) return std::make_shared<StopNow>(engine, by, done)->Run();
    Set(engine, ServiceState::kStopped, by, [done](const base::Result<ServiceState>& state) {
      done(state.ok() ? base::Result<uint32_t>(0u) : base::Result<uint32_t>(state.error()));
    });
  });
}

}  // namespace jobd::worker
