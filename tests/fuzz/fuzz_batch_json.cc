#include "tests/fuzz/batch_file_harness.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return jobd::fuzz::ParseBatch(jobd::cli::BatchFormat::kJson, data, size);
}
