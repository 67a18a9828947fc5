// What the services share.
#pragma once

#include <atomic>
#include <cstdint>

namespace spdlog {
class logger;
}

namespace jobd::worker {
class Worker;
}

namespace jobd::server {

class Admission;
class ErrorReporter;
class Metrics;
class StreamRegistry;
class TaskPool;
class UploadBudget;

// Borrowed, all of it thread-safe; everything outlives the gRPC server and its calls.
struct Backend {
  worker::Worker& worker;
  Admission& admission;
  StreamRegistry& streams;
  TaskPool& tasks;
  UploadBudget& uploads;
  const ErrorReporter& errors;
  Metrics& metrics;
  spdlog::logger& log;
  // As the worker's limit; here to bound what a submission may gather before the worker sees it.
  std::atomic<uint32_t>& max_batch_jobs;
};

}  // namespace jobd::server
