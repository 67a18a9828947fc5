#include "worker/run/engine.h"

#include <algorithm>
#include <utility>

#include "worker/run/reconciler.h"

namespace jobd::worker {

namespace {

// As many jobs as may run, and no more than the launcher has descriptors for: it would refuse the others, again and again.
uint32_t SlotsOf(const WorkerLimits& limits) {
  const uint32_t most = limits.capabilities.most_jobs;
  return most == 0 ? limits.max_running : std::min(limits.max_running, most);
}

}  // namespace

base::Result<std::unique_ptr<Engine>> Engine::Create(const Parts& parts, WorkerLimits limits) {
  JOBD_ASSIGN_OR_RETURN(auto lease, parts.store.Read<LiveReader>());
  return std::make_unique<Engine>(parts, std::move(limits), std::move(lease));
}

Engine::Engine(const Parts& with, WorkerLimits in_force, Store::LeaseOf<LiveReader> with_lease)
    : parts(with),
      lease(std::move(with_lease)),
      reader(*lease),
      limits(std::move(in_force)),
      announcer(parts.changes, parts.live, parts.observer),
      journal(parts.store, loop),
      table({.queue = queue,
             .journal = journal,
             .announcer = announcer,
             .launcher = parts.launcher,
             .specs = specs,
             .upkeep = parts.upkeep,
             .on_room = [this] { dispatcher.Dispatch(); }}),
      service(journal, loop, parts.clock),
      enqueuer(queue, reader, limits),
      leases({.loop = loop, .reader = reader, .queue = queue, .table = table, .journal = journal, .announcer = announcer}),
      canceller({.loop = loop,
                 .reader = reader,
                 .queue = queue,
                 .enqueuer = enqueuer,
                 .table = table,
                 .leases = leases,
                 .journal = journal,
                 .announcer = announcer,
                 .launcher = parts.launcher,
                 .clock = parts.clock,
                 .on_room = [this] { dispatcher.Dispatch(); }}),
      dispatcher({.loop = loop,
                  .reader = reader,
                  .queue = queue,
                  .pools = pools,
                  .table = table,
                  .journal = journal,
                  .announcer = announcer,
                  .launcher = parts.launcher,
                  .specs = specs,
                  .leases = leases,
                  .canceller = canceller,
                  .service = service,
                  .upkeep = parts.upkeep,
                  .clock = parts.clock,
                  .limits = limits,
                  .log_dir = parts.log_dir}),
      reaper({.loop = loop,
              .store = parts.store,
              .table = table,
              .announcer = announcer,
              .launcher = parts.launcher,
              .canceller = canceller,
              .dispatcher = dispatcher,
              .clock = parts.clock}) {
  pools.Resize(Pools::kDefault, SlotsOf(limits));
}

base::Status Engine::Begin() {
  parts.launcher.Attach(reaper, loop);
  Reconciler reconciler({.reader = reader,
                         .queue = queue,
                         .enqueuer = enqueuer,
                         .pools = pools,
                         .table = table,
                         .journal = journal,
                         .launcher = parts.launcher,
                         .service = service,
                         .limits = limits});
  JOBD_RETURN_IF_ERROR(reconciler.Restore());
  dispatcher.Open();
  loop.Post([this] { dispatcher.Dispatch(); });
  return loop.Start();
}

void Engine::Shutdown() {
  loop.Stop([this] { journal.Flush(); });
  lease.reset();
}

void Engine::SetLimits(WorkerLimits fresh) {
  loop.Post([this, fresh = std::move(fresh)]() mutable {
    limits = std::move(fresh);
    pools.Resize(Pools::kDefault, SlotsOf(limits));
    enqueuer.ApplyQuotas();
    dispatcher.Dispatch();
  });
}

}  // namespace jobd::worker
