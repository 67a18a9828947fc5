#include "server/ops/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "base/guarded.h"

namespace jobd::server {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

// Seconds. What a start and a commit take is fractions of a millisecond on a good day; a job may run for days.
const Buckets kStartBuckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
const Buckets kDurationBuckets = {0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14'400, 86'400};
const Buckets kCommitBuckets = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};

double Seconds(base::Nanos time) { return static_cast<double>(time) / static_cast<double>(base::kNanosPerSecond); }

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

constexpr std::array kFinal = {worker::JobState::kSucceeded, worker::JobState::kFailed,    worker::JobState::kCancelled,
                               worker::JobState::kTimedOut,  worker::JobState::kOomKilled, worker::JobState::kLost};

Counter& MakeCounter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}
Gauge& MakeGauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

// What is looked at when somebody asks: set and read as one.
struct Gauges {
  explicit Gauges(prometheus::Registry& all) : registry(all) { build.Add({{"version", JOBD_VERSION}}).Set(1); }

  prometheus::Registry& registry;
  Family<Gauge>& build = prometheus::BuildGauge().Name("jobd_build_info").Help("Always 1.").Register(registry);
  Gauge& started = MakeGauge(registry, "jobd_server_start_time_seconds", "When jobd-server was started, since 1970.");
  Counter& restarts = MakeCounter(registry, "jobd_server_restarts_total", "How often jobd has started jobd-server again.");
  Family<Gauge>& state =
      prometheus::BuildGauge().Name("jobd_service_state").Help("1 for the state the service is in.").Register(registry);
  Gauge& calls = MakeGauge(registry, "jobd_calls_lasting", "Calls that last: followers, watches, searches, submissions.");
  Gauge& queued = MakeGauge(registry, "jobd_jobs_queued", "Jobs that wait, held ones too.");
  Gauge& running = MakeGauge(registry, "jobd_jobs_running", "Slots in use.");
  Gauge& slots = MakeGauge(registry, "jobd_slots", "Jobs that may run at once.");
  Family<Gauge>& disk_free =
      prometheus::BuildGauge().Name("jobd_disk_free_bytes").Help("Room on the disk of a directory.").Register(registry);
  Family<Gauge>& disk_size =
      prometheus::BuildGauge().Name("jobd_disk_size_bytes").Help("Size of the disk of a directory.").Register(registry);
  Family<Gauge>& disk_accepting =
      prometheus::BuildGauge().Name("jobd_disk_accepting").Help("0: too full or broken for new work.").Register(registry);
  Gauge& kept_batches = MakeGauge(registry, "jobd_kept_batches", "Ended batches that are kept.");
  Gauge& kept_bytes = MakeGauge(registry, "jobd_kept_bytes", "What the files of ended batches take.");
  Gauge& undeletable = MakeGauge(registry, "jobd_undeletable_batches", "Batches that should be gone and cannot be deleted.");
  Gauge& expiry =
      MakeGauge(registry, "jobd_certificate_expiry_timestamp_seconds", "When the server's certificate ends, since 1970.");
};

}  // namespace

struct Metrics::Impl {
  Histogram& MakeHistogram(const char* name, const char* help, const Buckets& buckets) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
  }

  prometheus::Registry registry;

  Counter& batches = MakeCounter(registry, "jobd_batches_submitted_total", "Batches accepted.");
  Counter& jobs = MakeCounter(registry, "jobd_jobs_submitted_total", "Jobs of the batches accepted.");
  Counter& starts = MakeCounter(registry, "jobd_jobs_started_total", "Attempts whose program was executed.");
  Family<Counter>& ended =
      prometheus::BuildCounter().Name("jobd_jobs_ended_total").Help("Jobs that came to a final state.").Register(registry);
  std::map<worker::JobState, Counter*> ended_as;
  Histogram& start_latency =
      MakeHistogram("jobd_start_latency_seconds", "From the slot a job is given to its program's execution.", kStartBuckets);
  Histogram& duration = MakeHistogram("jobd_job_duration_seconds", "From a program's execution to its end.", kDurationBuckets);
  Histogram& commit = MakeHistogram("jobd_commit_latency_seconds", "What it takes to commit to the database.", kCommitBuckets);
  Counter& commit_failures = MakeCounter(registry, "jobd_commit_failures_total", "Commits that failed.");
  Counter& recorded = MakeCounter(registry, "jobd_output_recorded_bytes_total", "Output of ended attempts, as it was kept.");
  Counter& dropped = MakeCounter(registry, "jobd_output_dropped_bytes_total", "Output of ended attempts that was not kept.");
  Counter& streamed = MakeCounter(registry, "jobd_output_streamed_bytes_total", "Output sent to clients.");
  Family<Counter>& refused =
      prometheus::BuildCounter().Name("jobd_calls_refused_total").Help("Calls that ended with an error.").Register(registry);
  Counter& connections_refused = MakeCounter(registry, "jobd_connections_refused_total", "Connections over a limit.");
  Counter& connections_ended =
      MakeCounter(registry, "jobd_connections_ended_total", "Connections ended for what their clients did.");
  Gauge& followers = MakeGauge(registry, "jobd_followers", "Calls that read logs.");

  base::Guarded<Gauges> gauges{registry};
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {
  // From the beginning, so that a first failure is a change from 0.
  for (const worker::JobState final : kFinal) {
    impl_->ended_as[final] = &impl_->ended.Add({{"state", Lower(worker::StateName(final))}});
  }
}
Metrics::~Metrics() = default;

void Metrics::OnAccepted(uint32_t jobs) {
  impl_->batches.Increment();
  impl_->jobs.Increment(jobs);
}

void Metrics::OnStarted(base::Nanos waited) {
  impl_->starts.Increment();
  impl_->start_latency.Observe(Seconds(waited));
}

void Metrics::OnAttempt(const worker::JobRow& row) {
  if (row.started_at != 0) impl_->duration.Observe(Seconds(row.usage.wall));
  impl_->recorded.Increment(static_cast<double>(row.stdout_bytes + row.stderr_bytes));
  impl_->dropped.Increment(static_cast<double>(row.dropped_bytes));
}

void Metrics::OnEnded(const worker::BatchName& /*batch*/, uint32_t /*index*/, const worker::Outcome& outcome, uint64_t count) {
  if (const auto found = impl_->ended_as.find(outcome.state); found != impl_->ended_as.end()) {
    found->second->Increment(static_cast<double>(count));
  }
}

void Metrics::OnCommit(base::Nanos took, bool ok) {
  impl_->commit.Observe(Seconds(took));
  if (!ok) impl_->commit_failures.Increment();
}

// Reasons are few: the family's own lock and look-up will do.
void Metrics::OnRefused(std::string_view reason) { impl_->refused.Add({{"reason", Lower(reason)}}).Increment(); }
void Metrics::OnConnectionRefused() { impl_->connections_refused.Increment(); }
void Metrics::OnConnectionEnded() { impl_->connections_ended.Increment(); }
void Metrics::OnStreamed(uint64_t bytes) { impl_->streamed.Increment(static_cast<double>(bytes)); }

Metrics::Follower::Follower(Metrics& metrics) : metrics_(metrics) { metrics_.impl_->followers.Increment(); }
Metrics::Follower::~Follower() { metrics_.impl_->followers.Decrement(); }

std::string Metrics::Text(const MetricsSnapshot& snapshot) {
  const worker::WorkerStatus& status = snapshot.worker;
  const auto gauges = impl_->gauges.Lock();
  gauges->started.Set(Seconds(snapshot.started_at));
  gauges->restarts.Increment(snapshot.server_restarts - gauges->restarts.Value());
  gauges->calls.Set(static_cast<double>(snapshot.calls));
  for (const auto& [name, state] : {std::pair("running", worker::ServiceState::kRunning),
                                    {"draining", worker::ServiceState::kDraining},
                                    {"stopped", worker::ServiceState::kStopped}}) {
    gauges->state.Add({{"state", name}}).Set(status.state == state ? 1 : 0);
  }
  gauges->queued.Set(static_cast<double>(status.queued));
  gauges->running.Set(status.running);
  gauges->slots.Set(status.slots);
  for (const worker::DiskStatus& disk : status.disks) {
    gauges->disk_free.Add({{"disk", disk.name}}).Set(static_cast<double>(disk.free_bytes));
    gauges->disk_size.Add({{"disk", disk.name}}).Set(static_cast<double>(disk.total_bytes));
    gauges->disk_accepting.Add({{"disk", disk.name}}).Set(disk.accepting ? 1 : 0);
  }
  gauges->kept_batches.Set(static_cast<double>(status.kept.batches));
  gauges->kept_bytes.Set(static_cast<double>(status.kept.bytes));
  gauges->undeletable.Set(static_cast<double>(status.kept.undeletable));
  gauges->expiry.Set(static_cast<double>(snapshot.certificate_expiry));
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace jobd::server
