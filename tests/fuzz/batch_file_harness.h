// What the three fuzz targets of batch files have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cli/batch/batch_file.h"

namespace jobd::fuzz {

// Parses and checks what holds for every input: a refusal says why, and what is accepted can be submitted.
inline int ParseBatch(cli::BatchFormat format, const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // Files that jobs refer to are not to be found below this.
  const auto batch = cli::ParseBatchFile(format, "input", text, "/nonexistent");
  if (!batch.ok()) {
    if (batch.error().message().empty()) std::abort();
    return 0;
  }
  if (batch->jobs.empty()) std::abort();
  for (const cli::JobDraft& job : batch->jobs) {
    if (job.argv.empty()) std::abort();
  }
  (void)cli::DetectFormat("", text);
  return 0;
}

}  // namespace jobd::fuzz
