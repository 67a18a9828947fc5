#include "server/grpc/connections/header_limit.h"

#include <algorithm>

namespace jobd::server {
namespace {

// RFC 9113, 6.2 and 6.10.
constexpr uint8_t kHeaders = 1;
constexpr uint8_t kContinuation = 9;

}  // namespace

bool HeaderLimit::Take(std::string_view bytes) {
  while (!bytes.empty()) {
    if (skip_ > 0) {
      const size_t passed = std::min(skip_, bytes.size());
      skip_ -= passed;
      bytes.remove_prefix(passed);
      continue;
    }
    const size_t count = std::min(kFrameHeader - have_, bytes.size());
    std::copy_n(bytes.begin(), count, header_.begin() + static_cast<ptrdiff_t>(have_));
    have_ += count;
    bytes.remove_prefix(count);
    if (have_ == kFrameHeader && !Begin()) return false;
  }
  return true;
}

bool HeaderLimit::Begin() {
  have_ = 0;
  skip_ = size_t{header_[0]} << 16 | size_t{header_[1]} << 8 | header_[2];
  const uint8_t type = header_[3];
  if (type == kHeaders) {
    block_ = skip_;
    frames_ = 1;
  } else if (type == kContinuation) {
    block_ += skip_;
    ++frames_;
  }
  return block_ <= kMaxBlock && frames_ <= kMaxFrames;
}

uint32_t MetadataLimit::Begin(bool is_last, uint32_t counted) {
  left_ = is_open_ ? left_ - std::min(left_, counted) : kMaxMetadata;
  is_open_ = !is_last;
  return left_;
}

}  // namespace jobd::server
