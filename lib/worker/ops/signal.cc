#include "worker/ops/signal.h"

#include <utility>
#include <vector>

namespace jobd::worker {
namespace {

base::Result<uint32_t> Signal(Engine& engine, const JobSelector& jobs, int signal) {
  JOBD_ASSIGN_OR_RETURN(const ActiveBatch about, engine.leases.Find(jobs));
  std::vector<launch::JobKey> running;
  if (const LiveBatch* const batch = engine.table.FindBatch(about.view.id); batch != nullptr) {
    for (const auto& [index, job] : batch->jobs) {
      if ((!jobs.index || *jobs.index == index) && IsWithLauncher(job.state)) running.push_back(job.key);
    }
  }
  uint32_t signalled = 0;
  for (const launch::JobKey& key : running) {
    // The launcher knows better than we whether there is a program by now.
    if (engine.parts.launcher.Signal(key, signal).ok()) ++signalled;
  }
  return signalled;
}

}  // namespace

void PostSignal(Engine& engine, JobSelector jobs, int signal, Callback<uint32_t> done) {
  engine.loop.Post([&engine, jobs = std::move(jobs), signal, done = std::move(done)] { done(Signal(engine, jobs, signal)); });
}

}  // namespace jobd::worker
