// The parts that run jobs, in the order in which they need each other, and nothing else: each says in its own header what it is
// for.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "worker/launcher/launcher.h"
#include "worker/model/limits.h"
#include "worker/model/observer.h"
#include "worker/plan/pools.h"
#include "worker/plan/queue.h"
#include "worker/run/announcer.h"
#include "worker/run/batch_canceller.h"
#include "worker/run/batch_leases.h"
#include "worker/run/dispatcher.h"
#include "worker/run/enqueuer.h"
#include "worker/run/job_table.h"
#include "worker/run/journal.h"
#include "worker/run/loop.h"
#include "worker/run/reaper.h"
#include "worker/run/service_switch.h"
#include "worker/run/spec_prefetcher.h"
#include "worker/run/upkeep.h"
#include "worker/store/store.h"

namespace jobd::worker {

// All but what says otherwise is for the loop's thread, which the requests of ops/ go to with loop.Post.
class Engine {
 public:
  // All are borrowed, and outlive the engine but for the store, whose last completions may come until it ends. The upkeep is called
  // from Begin on.
  struct Parts {
    Store& store;
    Launcher& launcher;
    const base::Clock& clock;
    ChangeBus& changes;
    LiveOverlay& live;
    Observer& observer;
    Upkeep& upkeep;
    int log_dir = -1;
  };
  // kUnavailable and the like when the store cannot be read.
  static base::Result<std::unique_ptr<Engine>> Create(const Parts& parts, WorkerLimits limits);
  Engine(const Parts& parts, WorkerLimits limits, Store::LeaseOf<LiveReader> lease);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Takes up what the store says is live, then starts the loop. Once. See Reconciler for the errors.
  base::Status Begin();
  // Ends the loop; jobs run on. What is posted later is dropped, and the store is not read any more.
  void Shutdown();
  // Thread-safe.
  void SetLimits(WorkerLimits fresh);

  const Parts parts;
  Loop loop;
  Store::LeaseOf<LiveReader> lease;
  LiveReader& reader;  // the lease's
  WorkerLimits limits;
  Queue queue;
  Pools pools;
  SpecPrefetcher specs;
  Announcer announcer;
  Journal journal;
  JobTable table;
  ServiceSwitch service;
  Enqueuer enqueuer;
  BatchLeases leases;
  BatchCanceller canceller;
  Dispatcher dispatcher;
  Reaper reaper;
};

}  // namespace jobd::worker
