#include "worker/ops/service.h"

#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace jobd::worker {
namespace {

void Set(Engine& engine, ServiceState state, Callback<ServiceState> done) {
  engine.service.Set(state, std::move(done));
  engine.dispatcher.Dispatch();
}

// Cancels every batch that there is. One answer, when the last of them is done.
class CancelAll : public std::enable_shared_from_this<CancelAll> {
 public:
  CancelAll(Engine& engine, std::string by, Callback<uint32_t> done)
      : engine_(engine), by_(std::move(by)), done_(std::move(done)) {}

  void Run() {
    // What is being submitted was accepted before the stop, or will be refused. What comes while we wait for it is refused, and not
    // waited for: somebody may always be asking.
    if (!engine_.leases.DeferBehindSubmissions([self = shared_from_this()] { self->CancelBatches(); })) CancelBatches();
  }

 private:
  void CancelBatches() {
    std::set<uint64_t> batches;
    for (const uint64_t id : engine_.queue.Batches()) batches.insert(id);
    for (const auto& [id, batch] : engine_.table.batches()) batches.insert(id);
    for (const uint64_t id : engine_.leases.Retried()) batches.insert(id);
    if (batches.empty()) return done_(0u);
    left_ = batches.size();
    for (const uint64_t id : batches) {
      engine_.canceller.Cancel(
          id, std::nullopt, CancelledByStop(by_), std::nullopt,
          [self = shared_from_this()](const base::Result<CancelCounts>& counts) { self->OnCancelled(counts); });
    }
  }
  void OnCancelled(const base::Result<CancelCounts>& counts) {
    if (counts.ok()) {
      cancelled_ += counts->cancelled + counts->stopping;
    } else if (!failure_) {
      failure_ = counts.error();
    }
    if (--left_ == 0) done_(failure_ ? base::Result<uint32_t>(*failure_) : base::Result<uint32_t>(cancelled_));
  }

  Engine& engine_;
  const std::string by_;
  const Callback<uint32_t> done_;
  size_t left_ = 0;
  uint32_t cancelled_ = 0;
  std::optional<base::Error> failure_;
};

}  // namespace

void PostStart(Engine& engine, Callback<ServiceState> done) {
  engine.loop.Post([&engine, done = std::move(done)] { Set(engine, ServiceState::kRunning, done); });
}

void PostDrain(Engine& engine, Callback<ServiceState> done) {
  engine.loop.Post([&engine, done = std::move(done)] {
    const bool runs = engine.service.state() == ServiceState::kRunning;
    Set(engine, runs ? ServiceState::kDraining : engine.service.state(), done);
  });
}

void PostStop(Engine& engine, bool now, std::string by, Callback<uint32_t> done) {
  engine.loop.Post([&engine, now, by = std::move(by), done = std::move(done)] {
    Set(engine, ServiceState::kStopped, [&engine, now, by, done](const base::Result<ServiceState>& state) {
      if (!state.ok()) return done(state.error());
      if (!now) return done(0u);
      std::make_shared<CancelAll>(engine, by, done)->Run();
    });
  });
}

}  // namespace jobd::worker
