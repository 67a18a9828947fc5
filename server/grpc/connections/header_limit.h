// The headers of a call, bounded where gRPC does not bound them: as they come, and as they are decoded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace jobd::server {

// What the headers of a block may come to as RFC 9113, 6.5.2 counts them: their names, their values, and 32 bytes for each.
// A small header takes twice as much where it is kept.
inline constexpr uint32_t kMaxMetadata = 8 << 10;

// A block of headers is a HEADERS frame and as many CONTINUATION frames as its client likes (RFC 9113, 4.3), and gRPC 1.51 keeps
// all of it until the last: a gigabyte, if that is what comes. This follows the frames of one connection, and nothing in them.
//
// Not thread-safe.
class HeaderLimit {
 public:
  // Four times the metadata that we take, which is measured without compression.
  static constexpr size_t kMaxBlock = 4 * kMaxMetadata;
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

// The same once they are decoded. A byte can name an entry of the table that has kilobytes (RFC 7541, 6.1), and takes gRPC 100
// bytes at least, which it keeps as long as the call. It holds a client to kMaxMetadata only when that has acknowledged our
// SETTINGS, before to a thousand times as much; and it counts from nothing in each frame, though not in each block. So we say what
// it is to take, frame by frame.
//
// Not thread-safe.
class MetadataLimit {
 public:
  // A frame of a block begins, the block's last or not. `counted`: what gRPC counted in the frame before. Returns what this one may
  // come to.
  uint32_t Begin(bool is_last, uint32_t counted);

 private:
  bool is_open_ = false;  // the frame before was not its block's last
  uint32_t left_ = kMaxMetadata;
};

// As gRPC 1.51's HPackParser begins, and the last argument of its BeginFrame.
struct HeaderParser {
  void* metadata;
  std::vector<uint8_t> unread;
  uint8_t boundary;
  uint8_t priority;
  uint8_t updates;
  uint32_t counted;  // in this frame
  uint32_t most;
};
struct HeaderFrame {
  uint32_t stream;
  uint8_t kind;
  bool is_client;
};

}  // namespace jobd::server
