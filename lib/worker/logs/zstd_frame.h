// One frame of zstd at a time, from memory to memory. zstd is known here alone.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace jobd::worker {

struct ZstdFree {
  void operator()(void* context) const;
  bool compresses = false;
};

// One thread at a time.
class FrameCompressor {
 public:
  FrameCompressor();
  // At most kFrameBytes. The answer, which carries a check of the content, is valid until the next call.
  base::Result<std::span<const std::byte>> Compress(std::span<const std::byte> raw);

 private:
  std::unique_ptr<void, ZstdFree> context_;
  std::vector<std::byte> out_;
};

// One thread at a time. Takes its memory, some 100 KiB, when it is first used: nearly all readers never do.
class FrameDecompressor {
 public:
  // Fills `raw`, of exactly the size that was compressed, else kDataLoss; also when the frame fails its check. Any bytes may be
  // given.
  base::Status Decompress(std::span<const std::byte> frame, std::span<std::byte> raw);

 private:
  std::unique_ptr<void, ZstdFree> context_{nullptr, ZstdFree{}};
};

}  // namespace jobd::worker
