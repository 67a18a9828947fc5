#include "worker/ops/removal.h"

#include <utility>

namespace jobd::worker {

void PostRemoval(Engine& engine, BatchName batch, BatchRemover remover, Callback<bool> done) {
  engine.loop.Post([&engine, batch = std::move(batch), remover = std::move(remover), done = std::move(done)] {
    auto found = engine.leases.Find({.batch = batch});
    if (!found.ok()) return done(found.error());
    if (!engine.leases.IsOver(found->view)) {
      return done(base::Error(base::Code::kFailedPrecondition, "the batch has not ended; cancel it first, or wait for its end"));
    }
    remover(std::move(found->view), done);
  });
}

}  // namespace jobd::worker
