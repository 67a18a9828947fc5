// The index of a job's output: `<index>.idx`, one record of kIndexRecordSize bytes for each chunk, in order of arrival. The bytes
// themselves are in `<index>.out` and `<index>.err`. The shim writes the bytes first, then the record. Specified in FORMAT.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace jobd::launch {

inline constexpr size_t kIndexRecordSize = 24;
// The bytes of a gathered record came within so much of its time.
inline constexpr base::Nanos kGatherWindow = 10 * base::kNanosPerMilli;

enum class Stream : uint8_t { kOut = 1, kErr = 2 };

// A chunk of one stream: bytes [offset, offset + length) of its file arrived at `time`, or, where it is gathered, from then on. A
// gap is where `length` bytes were dropped at this place: nothing of them is in the file.
struct IndexRecord {
  base::Nanos time = 0;  // wall clock
  uint64_t offset = 0;   // below 2^56
  uint32_t length = 0;
  Stream stream = Stream::kOut;
  bool gap = false;
  bool gathered = false;
  bool operator==(const IndexRecord&) const = default;
};

using IndexBytes = std::array<std::byte, kIndexRecordSize>;
IndexBytes EncodeIndex(const IndexRecord& record);
// kDataLoss when the bytes are no record (each carries a check).
base::Result<IndexRecord> DecodeIndex(std::span<const std::byte> bytes);

// "12.out", "12.err", "12.idx".
std::string OutName(uint32_t index);
std::string ErrName(uint32_t index);
std::string IndexName(uint32_t index);

}  // namespace jobd::launch
