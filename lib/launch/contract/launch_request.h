// What the server asks the launcher to start: everything about one attempt of one job, as plain values.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace jobd::launch {

// One attempt of one job, as server, launcher and shim name it among themselves. `batch` is the store's number of the batch, never
// used again for another; `index` and `attempt` count from 1.
struct JobKey {
  uint64_t batch = 0;
  uint32_t index = 0;
  uint32_t attempt = 0;
  auto operator<=>(const JobKey&) const = default;
};

// What a job may use; 0: no limit, and of core files: none are written.
struct JobLimits {
  uint64_t memory_bytes = 0;
  uint32_t cpu_millis = 0;
  uint32_t pids = 0;
  uint64_t output_bytes = 0;              // of both streams together
  uint64_t file_bytes = 0;                // of each file it writes
  uint64_t open_files = 0;                // of each process
  uint64_t tmp_bytes = 0;                 // of its private /tmp
  uint64_t io_read_bytes_per_second = 0;  // of each disk
  uint64_t io_write_bytes_per_second = 0;
  uint64_t core_bytes = 0;  // of a core file; 0: none is written
  bool operator==(const JobLimits&) const = default;
};

// Calls each(name, member) for every limit, in the order of the wire; the name is that of the API's field.
template <typename Each>
void EachLimit(Each each) {
  each("memory_bytes", &JobLimits::memory_bytes);
  each("cpu_millis", &JobLimits::cpu_millis);
  each("pids", &JobLimits::pids);
  each("output_bytes", &JobLimits::output_bytes);
  each("file_bytes", &JobLimits::file_bytes);
  each("open_files", &JobLimits::open_files);
  each("tmp_bytes", &JobLimits::tmp_bytes);
  each("io_read_bytes_per_second", &JobLimits::io_read_bytes_per_second);
  each("io_write_bytes_per_second", &JobLimits::io_write_bytes_per_second);
  each("core_bytes", &JobLimits::core_bytes);
}

// All texts are bytes without NUL, but for stdin_data. Bounds are those of frames.h; the launcher checks them again.
struct LaunchRequest {
  JobKey key;
  std::string owner;                                     // the folder below log_dir, and whom policy is asked about
  std::string correlation_id;                            // the folder below that
  uint32_t job_count = 0;                                // of the batch: how many slots its exit file has
  std::vector<std::string> argv;                         // at least one
  std::vector<std::pair<std::string, std::string>> env;  // complete but for what the shim adds: JOBD_JOB_ID, JOBD_BATCH_ID, …
  std::string workdir;                                   // absolute; empty: the launcher's default
  std::string stdin_data;
  std::string user;     // an account's name; empty: the one policy gives
  std::string profile;  // "open", "standard", …
  JobLimits limits;
  base::Nanos timeout = 0;     // 0: none
  base::Nanos kill_after = 0;  // from TERM to KILL, at a timeout
};

}  // namespace jobd::launch
