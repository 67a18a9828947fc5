// The headers of a call, bounded where gRPC does not bound them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace jobd::server {

// A block of headers is a HEADERS frame and as many CONTINUATION frames as its client likes (RFC 9113, 4.3), and gRPC 1.51 keeps
// all of it until the last: a gigabyte, if that is what comes. This follows the frames of one connection, and nothing in them.
//
// Not thread-safe.
class HeaderLimit {
 public:
  // Four times the metadata that we take, which is measured without compression.
  static constexpr size_t kMaxBlock = 64 << 10;
  static constexpr uint32_t kMaxFrames = 32;

  // What the client has sent next. False: a block is too long, or in too many frames; the connection is to be ended.
  bool Take(std::string_view bytes);

 private:
  static constexpr size_t kPreface = 24;
  static constexpr size_t kFrameHeader = 9;

  bool Begin();

  size_t skip_ = kPreface;  // of the frame that is passing
  std::array<uint8_t, kFrameHeader> header_{};
  size_t have_ = 0;  // of the header
  size_t block_ = 0;
  uint32_t frames_ = 0;
};

}  // namespace jobd::server
