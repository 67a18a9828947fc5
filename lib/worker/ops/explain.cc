#include "worker/ops/explain.h"

#include <string_view>
#include <utility>

#include "worker/plan/waits.h"

namespace jobd::worker {
namespace {

ServiceStanding OfTheService(Engine& engine) {
  ServiceStanding service{.recovering = !engine.dispatcher.is_open(),
                          .stopped = !engine.service.StartsJobs(),
                          .stopped_by = engine.service.by(),
                          .stopped_since = engine.service.since(),
                          .disk = {},
                          .slots_used = engine.pools.used(Pools::kDefault),
                          .slots = engine.pools.slots(Pools::kDefault)};
  if (const auto lack = engine.dispatcher.FindLack()) {
    service.disk = lack->disk;
    service.disk_since = lack->since;
  } else if (engine.parts.store.FindProblem()) {
    service.disk = "state";
  } else if (const base::Nanos undone = engine.loop.log_disk().HangsFor(); undone != 0) {
    service.disk = "log";
    service.disk_since = engine.parts.clock.Realtime() - undone;
  }
  return service;
}

struct Found {
  Whereabouts where = Whereabouts::kInQueue;
  std::string_view lacked;  // as the job has it
};

Found Find(const JobTable& table, uint64_t batch, uint32_t index) {
  const auto found = table.batches().find(batch);
  if (found == table.batches().end()) return {};
  const auto job = found->second.jobs.find(index);
  if (job == found->second.jobs.end()) return {};
  if (IsBeforeStart(job->second.state)) return {.where = Whereabouts::kStarting, .lacked = {}};
  if (!job->second.WaitsAgain()) return {};
  return {.where = Whereabouts::kLeaving, .lacked = job->second.lacked};
}

std::vector<WaitReasons> Explain(Engine& engine, const WaitQuery& query) {
  std::vector<uint32_t> indexes;
  for (const WaitQuery::Job& job : query.jobs) indexes.push_back(job.index);
  const Queue::Place place = engine.queue.PlaceOf(query.batch, indexes);
  const ServiceStanding service = OfTheService(engine);
  std::vector<WaitReasons> all;
  for (size_t i = 0; i < query.jobs.size(); ++i) {
    const WaitQuery::Job& asked = query.jobs[i];
    const Found found = Find(engine.table, query.batch, asked.index);
    all.push_back(WhyItWaits(asked, found.where, place, place.jobs[i], service, found.lacked));
  }
  return all;
}

}  // namespace

void PostExplain(Engine& engine, WaitQuery query, Callback<std::vector<WaitReasons>> done) {
  engine.loop.Post([&engine, query = std::move(query), done = std::move(done)] { done(Explain(engine, query)); });
}

}  // namespace jobd::worker
