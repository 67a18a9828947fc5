// Exit slots and index records: any bytes give a record or an error. The fuzzer cannot guess a CRC, so it also chooses a record's
// fields, which must survive the round trip.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>

#include "launch/contract/exit_file.h"
#include "launch/contract/log_index.h"

namespace launch = jobd::launch;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  (void)launch::DecodeSlot(bytes);
  (void)launch::DecodeIndex(bytes);

  uint64_t words[6] = {};
  std::memcpy(words, data, std::min(size, sizeof words));
  launch::SlotRecord slot;
  slot.phase = static_cast<launch::Phase>(words[0] % 3 + 1);
  slot.cause = static_cast<launch::EndCause>(words[0] % 6);
  slot.step = static_cast<launch::Step>(words[1] % static_cast<uint64_t>(launch::Step::kCount));
  slot.attempt = static_cast<uint32_t>(words[1]);
  slot.boot = words[2];
  slot.wall = static_cast<int64_t>(words[3]);
  slot.exit.value = static_cast<int>(words[4]);
  slot.dropped_bytes = words[5];
  const launch::SlotBytes encoded = launch::EncodeSlot(slot);
  const auto decoded = launch::DecodeSlot(encoded);
  if (!decoded.ok() || launch::EncodeSlot(*decoded) != encoded) std::abort();

  const launch::IndexRecord record{.time = static_cast<int64_t>(words[0]),
                                   .offset = words[1] >> 8,
                                   .length = static_cast<uint32_t>(words[2]),
                                   .stream = words[3] % 2 == 0 ? launch::Stream::kOut : launch::Stream::kErr,
                                   .gap = words[4] % 2 == 1};
  const auto index = launch::DecodeIndex(launch::EncodeIndex(record));
  if (!index.ok() || !(*index == record)) std::abort();
  return 0;
}
