#include "launch/contract/log_index.h"

#include <boost/crc.hpp>

#include "base/wire.h"

namespace jobd::launch {

namespace {

constexpr size_t kCheckAt = 20;
constexpr uint64_t kOffsetMask = (1ull << 56) - 1;
constexpr uint64_t kGapBit = 0x80;
constexpr uint64_t kGatheredBit = 0x40;

uint32_t Check(std::span<const std::byte> bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), kCheckAt);
  return crc.checksum();
}

}  // namespace

IndexBytes EncodeIndex(const IndexRecord& record) {
  IndexBytes bytes{};
  const std::span<std::byte> out(bytes);
  const uint64_t kind = static_cast<uint64_t>(record.stream) | (record.gap ? kGapBit : 0) | (record.gathered ? kGatheredBit : 0);
  base::StoreLittle<int64_t>(out, record.time);
  base::StoreLittle<uint64_t>(out.subspan(8), (record.offset & kOffsetMask) | kind << 56);
  base::StoreLittle<uint32_t>(out.subspan(16), record.length);
  base::StoreLittle<uint32_t>(out.subspan(kCheckAt), Check(bytes));
  return bytes;
}

base::Result<IndexRecord> DecodeIndex(std::span<const std::byte> bytes) {
  if (bytes.size() != kIndexRecordSize || base::LoadLittle<uint32_t>(bytes.subspan(kCheckAt)) != Check(bytes)) {
    return base::Error(base::Code::kDataLoss, "damaged log index record");
  }
  const auto place = base::LoadLittle<uint64_t>(bytes.subspan(8));
  const uint64_t kind = place >> 56;
  const uint64_t stream = kind & ~(kGapBit | kGatheredBit);
  if (stream != static_cast<uint64_t>(Stream::kOut) && stream != static_cast<uint64_t>(Stream::kErr)) {
    return base::Error(base::Code::kDataLoss, "log index record of an unknown stream");
  }
  return IndexRecord{.time = base::LoadLittle<int64_t>(bytes),
                     .offset = place & kOffsetMask,
                     .length = base::LoadLittle<uint32_t>(bytes.subspan(16)),
                     .stream = static_cast<Stream>(stream),
                     .gap = (kind & kGapBit) != 0,
                     .gathered = (kind & kGatheredBit) != 0};
}

std::string OutName(uint32_t index) { return std::to_string(index) + ".out"; }
std::string ErrName(uint32_t index) { return std::to_string(index) + ".err"; }
std::string IndexName(uint32_t index) { return std::to_string(index) + ".idx"; }

}  // namespace jobd::launch
