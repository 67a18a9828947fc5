#include "worker/logs/zstd_frame.h"

#include <zstd.h>

#include "worker/logs/seek_table.h"

namespace jobd::worker {
namespace {

// zstd's own default. Measured on logs: the next levels cost twice the time for a few percent.
constexpr int kLevel = 3;

ZSTD_CCtx* Compressing(void* context) { return static_cast<ZSTD_CCtx*>(context); }
ZSTD_DCtx* Decompressing(void* context) { return static_cast<ZSTD_DCtx*>(context); }

}  // namespace

static_assert(ZSTD_COMPRESSBOUND(kFrameBytes) <= kMaxFrameSize);

void ZstdFree::operator()(void* context) const {
  if (compresses) {
    ZSTD_freeCCtx(Compressing(context));
  } else {
    ZSTD_freeDCtx(Decompressing(context));
  }
}

FrameCompressor::FrameCompressor() : context_(ZSTD_createCCtx(), ZstdFree{.compresses = true}), out_(kMaxFrameSize) {
  if (!context_) return;
  ZSTD_CCtx_setParameter(Compressing(context_.get()), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(Compressing(context_.get()), ZSTD_c_checksumFlag, 1);
}

base::Result<std::span<const std::byte>> FrameCompressor::Compress(std::span<const std::byte> raw) {
  if (!context_) return base::Error(base::Code::kResourceExhausted, "no memory to compress with");
  const size_t size = ZSTD_compress2(Compressing(context_.get()), out_.data(), out_.size(), raw.data(), raw.size());
  // It fails for want of memory, and for nothing that the bytes could be.
  if (ZSTD_isError(size) != 0) return base::Error(base::Code::kResourceExhausted, ZSTD_getErrorName(size));
  return std::span<const std::byte>(out_.data(), size);
}

base::Status FrameDecompressor::Decompress(std::span<const std::byte> frame, std::span<std::byte> raw) {
  if (!context_) context_.reset(ZSTD_createDCtx());
  if (!context_) return base::Error(base::Code::kResourceExhausted, "no memory to decompress with");
  const size_t size = ZSTD_decompressDCtx(Decompressing(context_.get()), raw.data(), raw.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) != 0 || size != raw.size()) return base::Error(base::Code::kDataLoss, "a compressed frame is damaged");
  return base::Ok();
}

}  // namespace jobd::worker
