#include "worker/logs/seek_table.h"

#include <algorithm>

namespace jobd::worker {
namespace {

constexpr uint32_t kSkippableMagic = 0x184D2A5E;
constexpr uint32_t kSeekableMagic = 0x8F92EAB1;
constexpr size_t kHeaderSize = 8;  // the skippable frame's: magic, length
constexpr size_t kEntrySize = 8;   // compressed size, size; the frames carry their own checks

base::Error Damaged() { return {base::Code::kDataLoss, "the seek table is damaged"}; }

void Put32(std::string& out, uint64_t value) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

uint32_t Get32(std::span<const std::byte> bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= std::to_integer<uint32_t>(bytes[at + i]) << (8 * i);
  return value;
}

size_t SizeOf(uint64_t frames) { return kHeaderSize + static_cast<size_t>(frames) * kEntrySize + kSeekFooterSize; }

}  // namespace

size_t SeekTable::RawSize(size_t frame) const {
  return static_cast<size_t>(std::min<uint64_t>(kFrameBytes, size - uint64_t{frame} * kFrameBytes));
}

std::string EncodeSeekTable(const SeekTable& table) {
  std::string out;
  out.reserve(SizeOf(table.ends.size()));
  Put32(out, kSkippableMagic);
  Put32(out, SizeOf(table.ends.size()) - kHeaderSize);
  for (size_t i = 0; i < table.ends.size(); ++i) {
    Put32(out, table.ends[i] - table.Begin(i));
    Put32(out, table.RawSize(i));
  }
  Put32(out, table.ends.size());
  out.push_back('\0');  // descriptor: no checks in the table
  Put32(out, kSeekableMagic);
  return out;
}

base::Result<size_t> SeekTableSize(std::span<const std::byte> footer, uint64_t file_size) {
  if (footer.size() != kSeekFooterSize || Get32(footer, 5) != kSeekableMagic || footer[4] != std::byte{0}) return Damaged();
  const uint64_t frames = Get32(footer, 0);
  if (frames == 0 || frames > kMaxFrames || SizeOf(frames) > file_size) return Damaged();
  return SizeOf(frames);
}

base::Result<SeekTable> DecodeSeekTable(std::span<const std::byte> bytes, uint64_t file_size) {
  if (bytes.size() < SizeOf(1)) return Damaged();
  JOBD_ASSIGN_OR_RETURN(const size_t size, SeekTableSize(bytes.last(kSeekFooterSize), file_size));
  if (size != bytes.size() || Get32(bytes, 0) != kSkippableMagic || Get32(bytes, 4) != size - kHeaderSize) return Damaged();
  const size_t frames = (size - SizeOf(0)) / kEntrySize;
  SeekTable table;
  table.ends.reserve(frames);
  uint64_t end = 0;
  for (size_t i = 0; i < frames; ++i) {
    const uint32_t compressed = Get32(bytes, kHeaderSize + i * kEntrySize);
    const uint32_t raw = Get32(bytes, kHeaderSize + i * kEntrySize + 4);
    if (compressed == 0 || compressed > kMaxFrameSize) return Damaged();
    if (raw == 0 || raw > kFrameBytes || (raw < kFrameBytes && i + 1 < frames)) return Damaged();
    end += compressed;
    table.ends.push_back(end);
    table.size += raw;
  }
  if (end + size != file_size) return Damaged();
  return table;
}

}  // namespace jobd::worker
