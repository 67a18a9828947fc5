// What clients carry for the worker, and what the store keeps for it: any bytes give a value or a refusal, and a value that was
// taken survives being written and read again.
#include <cstdlib>
#include <string>
#include <string_view>

#include "worker/catalogue/seal.h"
#include "worker/logs/log_cursor.h"
#include "worker/store/spec_codec.h"

namespace worker = jobd::worker;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);

  if (const auto cursor = worker::DecodeCursor(bytes)) {
    if (worker::DecodeCursor(worker::EncodeCursor(*cursor)) != cursor) std::abort();
  }
  if (const auto spec = worker::DecodeSpec(bytes); spec.ok()) {
    const auto again = worker::DecodeSpec(worker::EncodeSpec(*spec));
    if (!again.ok() || !(*again == *spec)) std::abort();
  }
  if (const auto labels = worker::DecodeLabels(bytes); labels.ok()) {
    const auto again = worker::DecodeLabels(worker::EncodeLabels(*labels));
    if (!again.ok() || *again != *labels) std::abort();
  }

  // Tokens: those that were not sealed are refused, those that were open to what was sealed, and for nothing else.
  const worker::Seal seal(std::string(32, 'k'));
  if (seal.Open("context", bytes, "page_token").ok()) std::abort();
  const std::string sealed = seal.Close("context", bytes);
  const auto opened = seal.Open("context", sealed, "page_token");
  if (size < 100'000 && (!opened.ok() || *opened != bytes)) std::abort();
  if (seal.Open("another", sealed, "page_token").ok()) std::abort();
  return 0;
}
