// Any bytes give a frame or an error; a frame that was taken has exactly one encoding.
#include <cstdlib>
#include <cstring>
#include <span>

#include "launch/contract/frames.h"

namespace {

template <typename Frame>
void Check(const jobd::base::Result<Frame>& decoded, std::span<const std::byte> bytes) {
  if (!decoded.ok()) return;
  const std::string again = jobd::launch::EncodeFrame(*decoded);
  if (again.size() != bytes.size() || std::memcmp(again.data(), bytes.data(), bytes.size()) != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  Check(jobd::launch::DecodeServerFrame(bytes), bytes);
  Check(jobd::launch::DecodeLauncherFrame(bytes), bytes);
  return 0;
}
