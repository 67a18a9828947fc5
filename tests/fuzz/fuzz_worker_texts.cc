// What clients carry for the worker, and what the store keeps for it: any bytes give a value or a refusal, and a value that was
// taken survives being written and read again.
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/token_signer.h"
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

  // A token that was not signed is refused; a signed one gives its payload back, in its own context only.
  const jobd::base::TokenSigner signer(std::string(32, 'k'));
  if (signer.Verify("context", bytes, "page_token").ok()) std::abort();
  const std::string signed_text = signer.Sign("context", bytes);
  const auto verified = signer.Verify("context", signed_text, "page_token");
  if (size < 100'000 && (!verified.ok() || *verified != bytes)) std::abort();
  if (signer.Verify("another", signed_text, "page_token").ok()) std::abort();
  return 0;
}
