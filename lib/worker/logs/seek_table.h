// The seek table of a compressed stream file: zstd's seekable format, as in contrib/seekable_format of its sources. The file is
// frames that each stand for kFrameBytes of the stream (the last for what is left), then this table in a skippable frame, which
// `zstd -d` passes over. Pure. Specified in launch/contract/FORMAT.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace jobd::worker {

inline constexpr size_t kFrameBytes = 256 * 1024;
// 64 GiB of a stream, and 2 MiB of memory for whoever reads it. What is longer is not compressed.
inline constexpr uint64_t kMaxFrames = 1u << 18;
// The most that zstd makes of kFrameBytes (its ZSTD_compressBound), rounded up.
inline constexpr size_t kMaxFrameSize = kFrameBytes + kFrameBytes / 128;
inline constexpr size_t kSeekFooterSize = 9;

struct SeekTable {
  uint64_t size = 0;           // of the stream, in bytes
  std::vector<uint64_t> ends;  // where each frame ends in the file
  uint64_t Begin(size_t frame) const { return frame == 0 ? 0 : ends[frame - 1]; }
  // How much of the stream the frame holds.
  size_t RawSize(size_t frame) const;
  bool operator==(const SeekTable&) const = default;
};

// What stands behind the frames. The table is well-formed, as DecodeSeekTable gives it.
std::string EncodeSeekTable(const SeekTable& table);

// How long the table is with its frame, by the last kSeekFooterSize bytes of a file of this size. kDataLoss when these are no such
// bytes, or speak of more than fits into the file or than kMaxFrames.
base::Result<size_t> SeekTableSize(std::span<const std::byte> footer, uint64_t file_size);

// Decodes the last SeekTableSize bytes. kDataLoss unless they account for every byte of the file, in frames of the sizes above.
base::Result<SeekTable> DecodeSeekTable(std::span<const std::byte> bytes, uint64_t file_size);

}  // namespace jobd::worker
