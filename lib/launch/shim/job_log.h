// The files of one job's output, as the shim writes them: bytes, then the index record that makes them part of the log. The
// job is never held up, whatever the disk does: bytes that cannot be written are counted, and a gap marks them as soon as it can.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "launch/contract/log_index.h"
#include "launch/process/file_owner.h"

namespace jobd::launch {

// Not thread-safe.
class JobLog {
 public:
  // `dir` is the batch's folder, borrowed. A file is made when its first byte is there; the first attempt makes new ones, later
  // ones append. limit: bytes kept of both streams together; 0: all.
  JobLog(int dir, FileOwner owner, uint32_t index, uint32_t attempt, uint64_t limit);

  // Takes a chunk that arrived at `time`.
  void Append(Stream stream, std::span<const std::byte> bytes, base::Nanos time);
  // Writes the gaps that are not in the index yet.
  void Finish(base::Nanos time);

  uint64_t kept(Stream stream) const { return file(stream).kept; }
  uint64_t dropped() const { return dropped_; }
  bool cut() const { return cut_; }
  bool disk_error() const { return disk_error_; }

 private:
  struct File {
    base::Fd fd;
    uint64_t offset = 0;  // where the next byte goes
    uint64_t kept = 0;    // by this attempt
    uint64_t gap = 0;     // dropped since the last record
  };

  File& file(Stream stream) { return files_[stream == Stream::kOut ? 0 : 1]; }
  const File& file(Stream stream) const { return files_[stream == Stream::kOut ? 0 : 1]; }
  // Opens name, or makes it. False when the disk refuses; the next chunk tries again.
  bool EnsureOpen(base::Fd& fd, const std::string& name, uint64_t& offset);
  bool WriteRecord(const IndexRecord& record);
  bool EnsureData(Stream stream);
  bool FlushGap(Stream stream, base::Nanos time);
  // Writes what the disk takes of `bytes`, which is not empty; returns how much is now part of the log.
  size_t Keep(Stream stream, std::span<const std::byte> bytes, base::Nanos time);

  int dir_;
  FileOwner owner_;
  uint32_t index_;
  bool first_attempt_;
  uint64_t limit_;
  std::array<File, 2> files_;
  base::Fd index_file_;
  uint64_t index_offset_ = 0;
  uint64_t dropped_ = 0;
  bool cut_ = false;
  bool disk_error_ = false;
};

}  // namespace jobd::launch
