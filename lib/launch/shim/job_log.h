// The files of one job's output, as the shim writes them: bytes, then the index record that makes them part of the log. The
// job is never held up, whatever the disk does: bytes that cannot be written are counted, and a gap marks them as soon as it can.
//
// A record has 24 bytes, and a job that prints a byte at a time would make an index that is many times its output. So what comes
// within kGatherWindow of the last record, of one stream, waits for the end of that time and shares a record; and the index counts
// against the limit. Should we be killed meanwhile, the bytes are in the file, behind the last record.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
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
  // Of an index so much is free: jobs that say little, or much at a time, keep as many bytes as their limit says.
  static constexpr uint64_t kFreeIndexBytes = 48 * 1024;
  // And besides one byte for so many that are kept: chunks of 1.5 KiB and more cost nothing.
  static constexpr uint64_t kFreeIndexShare = 64;

  // `dir` is the batch's folder, borrowed. A file is made when its first byte is there; the first attempt makes new ones, later
  // ones append. limit: bytes kept of both streams together, with what their index has beyond what is free; 0: all.
  JobLog(int dir, FileOwner owner, uint32_t index, uint32_t attempt, uint64_t limit);

  // Takes a chunk that arrived at `time`, of the wall clock, which is `now` of the monotonic one.
  void Append(Stream stream, std::span<const std::byte> bytes, base::Nanos time, base::Nanos now);
  // When Settle is to be called, of the monotonic clock; none: there is nothing to write.
  std::optional<base::Nanos> due() const;
  // Writes the record that waits, if it is due.
  void Settle(base::Nanos now);
  // Writes what is not in the index yet.
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
  // Writes the record that waits. When the disk refuses it, its bytes were not kept.
  bool FlushPending(base::Nanos now);
  // `size` more bytes of the stream would share the record that waits.
  bool Extends(Stream stream, size_t size) const;
  // How many of `size` bytes of the stream the limit leaves room for, with the records that they take.
  size_t Room(Stream stream, size_t size) const;
  // Writes what the disk takes of `bytes`, which is not empty; returns how much that was.
  size_t Keep(Stream stream, std::span<const std::byte> bytes, base::Nanos time, base::Nanos now);

  int dir_;
  FileOwner owner_;
  uint32_t index_;
  bool first_attempt_;
  uint64_t limit_;
  std::array<File, 2> files_;
  base::Fd index_file_;
  uint64_t index_offset_ = 0;
  uint64_t index_bytes_ = 0;  // written by this attempt
  std::optional<IndexRecord> pending_;
  std::optional<base::Nanos> last_record_;  // monotonic
  uint64_t dropped_ = 0;
  bool cut_ = false;
  bool disk_error_ = false;
};

}  // namespace jobd::launch
