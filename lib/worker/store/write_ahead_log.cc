#include "worker/store/write_ahead_log.h"

#include <fcntl.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/files.h"

namespace jobd::worker {

namespace {

constexpr size_t kHeaderBytes = 32;
constexpr size_t kFrameHeaderBytes = 24;
constexpr uint32_t kMagic = 0x377f0682;  // the lowest bit: checksums are of big-endian words
constexpr uint32_t kMaxPage = 65536;

uint32_t BigEndian(const std::byte* at) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = (value << 8) | std::to_integer<uint32_t>(at[i]);
  return value;
}

struct Checksum {
  uint32_t first = 0;
  uint32_t second = 0;
  bool operator==(const Checksum&) const = default;
};

Checksum ChecksumAt(const std::byte* at) { return {BigEndian(at), BigEndian(at + 4)}; }

// The sum goes on over `size` bytes, a multiple of 8.
Checksum Add(Checksum sum, const std::byte* bytes, size_t size, bool big_endian) {
  const bool swap = big_endian != (std::endian::native == std::endian::big);
  for (size_t i = 0; i < size; i += 8) {
    std::array<uint32_t, 2> words;
    std::memcpy(words.data(), bytes + i, sizeof(words));
    if (swap) words = {__builtin_bswap32(words[0]), __builtin_bswap32(words[1])};
    sum.first += words[0] + sum.second;
    sum.second += words[1] + sum.first;
  }
  return sum;
}

struct Header {
  bool big_endian = false;
  uint32_t page = 0;
  uint64_t salts = 0;
  Checksum sum;
};

uint64_t SaltsAt(const std::byte* at) { return (uint64_t{BigEndian(at)} << 32) | BigEndian(at + 4); }

// False: SQLite would not read on.
bool ParseHeader(const std::array<std::byte, kHeaderBytes>& bytes, Header& header) {
  const uint32_t magic = BigEndian(bytes.data());
  if ((magic & ~1u) != kMagic) return false;
  header.big_endian = (magic & 1u) != 0;
  header.page = BigEndian(bytes.data() + 8);
  if (header.page < 512 || header.page > kMaxPage || (header.page & (header.page - 1)) != 0) return false;
  header.salts = SaltsAt(bytes.data() + 16);
  header.sum = ChecksumAt(bytes.data() + 24);
  return Add({}, bytes.data(), 24, header.big_endian) == header.sum;
}

}  // namespace

base::Result<LogState> ExamineLog(int directory, const char* database) {
  auto log = base::OpenAt(directory, std::string(database) + "-wal", O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!log.ok() && log.error().code() == base::Code::kNotFound) return LogState::kNone;
  if (!log.ok()) return std::move(log).error();
  std::array<std::byte, kHeaderBytes> start{};
  JOBD_ASSIGN_OR_RETURN(const size_t had, base::PreadUpTo(log->get(), start, 0));
  Header header;
  if (had < start.size() || !ParseHeader(start, header)) return LogState::kNone;

  std::vector<std::byte> frame(kFrameHeaderBytes + header.page);
  Checksum sum = header.sum;  // of the frame before, as it stands there
  bool damaged = false;       // SQLite reads no frame from here on
  int commits = 0;            // behind that, in one history: each frame's sum goes on from the one before
  for (uint64_t offset = kHeaderBytes;; offset += frame.size()) {
    JOBD_ASSIGN_OR_RETURN(const size_t bytes, base::PreadUpTo(log->get(), frame, offset));
    if (bytes < frame.size()) return LogState::kWhole;
    Checksum expected = Add(sum, frame.data(), 8, header.big_endian);
    expected = Add(expected, frame.data() + kFrameHeaderBytes, header.page, header.big_endian);
    sum = ChecksumAt(frame.data() + 16);
    // What an earlier use of the log, or a transaction that was given up, has left has another salt or begins another history.
    const bool goes_on = SaltsAt(frame.data() + 8) == header.salts && expected == sum;
    if (!goes_on) {
      damaged = true;
      commits = 0;
    } else if (damaged && BigEndian(frame.data() + 4) != 0 && ++commits == 2) {
      return LogState::kDamaged;
    }
  }
}

}  // namespace jobd::worker
