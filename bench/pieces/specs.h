// Jobs as users submit them.
#pragma once

#include <string>
#include <vector>

#include "worker/model/admission.h"
#include "worker/model/model.h"

namespace jobd::bench {

// A job with arguments, variables, a folder and limits.
inline worker::JobSpec TypicalSpec(size_t number) {
  const std::string text = std::to_string(number);
  return {
      .argv = {"/usr/bin/convert", "--input", "/data/in/image-" + text + ".png", "--output", "/data/out/image-" + text + ".jpg"},
      .name = "image-" + text,
      .env = {{"LANG", "C.UTF-8"}, {"OMP_NUM_THREADS", "2"}, {"PATH", "/usr/bin:/bin"}, {"TASK", text}},
      .workdir = "/data",
      .timeout = 600 * base::kNanosPerSecond,
      .limits = {.memory_bytes = 512u << 20, .cpu_millis = 1500, .pids = 100},
      .profile = "standard",
      .retries = 2};
}

inline std::vector<worker::JobSpec> TypicalSpecs(size_t count) {
  std::vector<worker::JobSpec> specs;
  for (size_t i = 0; i < count; ++i) specs.push_back(TypicalSpec(i));
  return specs;
}

inline worker::BatchOptions TypicalOptions() {
  return {.correlation_id = "0190a5c4-1d2e-7abc-9def-0123456789ab",
          .name = "nightly",
          .labels = {{"project", "images"}, {"stage", "convert"}},
          .parallel = 8};
}

// A machine that has what the specs ask for.
inline worker::WorkerLimits TypicalLimits() {
  worker::WorkerLimits limits;
  limits.default_workdir = "/tmp";
  limits.default_path = "/usr/bin:/bin";
  limits.capabilities.profiles = {{.name = "open"},
                                  {.name = "standard", .private_tmp = true, .tmp_bytes = 1ull << 30},
                                  {.name = "strict", .private_tmp = true, .tmp_bytes = 1ull << 30}};
  return limits;
}

// With every kind of bound, so that every check is done.
inline worker::Submitter TypicalSubmitter() {
  return {.owner = "ann",
          .profiles = {"open", "standard"},
          .run_as = {"jobs"},
          .bounds = {
              .max = {.memory_bytes = 4ull << 30, .pids = 1000}, .timeout = 3600 * base::kNanosPerSecond, .workdirs = {"/data"}}};
}

}  // namespace jobd::bench
