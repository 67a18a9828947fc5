// What the handlers share: the worker, and what this process knows of itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "launch/contract/frames.h"

namespace spdlog {
class logger;
}

namespace jobd::worker {
class Worker;
}

namespace jobd::server {

class Logins;
class Metrics;
class Reloader;
class SessionTable;
class StreamRegistry;
class TaskPool;
class TlsState;
class MemoryBudget;

inline constexpr uint64_t kMaxBatchBytes = 256ull << 20;   // of one submission, as received
inline constexpr uint64_t kMaxUploadBytes = 512ull << 20;  // of all submissions that are being received: see Api

// What the launcher and the start say about this process. Does not change.
struct AboutProcess {
  base::Nanos started_at = 0;  // wall clock
  uint32_t server_restarts = 0;
  std::vector<launch::HelloAck::Capability> capabilities;
};

// Borrowed, all of it thread-safe; outlives all calls.
struct Api {
  worker::Worker& worker;
  StreamRegistry& streams;
  TaskPool& tasks;
  MemoryBudget& uploads;
  Metrics& metrics;
  spdlog::logger& log;
  // As the worker's limit; here to bound what a submission may gather before the worker sees it.
  std::atomic<uint32_t>& max_batch_jobs;
  Reloader& reloader;
  const TlsState& tls;
  Logins& logins;
  SessionTable& sessions;
  const base::Clock& clock;
  const base::Nanos started;  // monotonic
  const AboutProcess& about;
};

}  // namespace jobd::server
