// The file of one stream of a job, plain or compressed: to a reader the same bytes at the same offsets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "launch/contract/log_index.h"
#include "worker/logs/seek_table.h"
#include "worker/logs/zstd_frame.h"

namespace jobd::worker {

// "12.out" and "12.out.zst".
std::string StreamName(uint32_t index, launch::Stream stream);
std::string CompressedName(uint32_t index, launch::Stream stream);

// The frames that a reader has decompressed lately, of all the files it has open: what bounds its memory, at 4 MiB, however many
// jobs it merges. Used by one thread at a time.
class FrameCache {
 public:
  uint64_t NewFile() { return ++last_file_; }
  // The frame as it was last put in, if it is still here; valid until Put.
  const std::vector<std::byte>* Find(uint64_t file, size_t frame);
  const std::vector<std::byte>& Put(uint64_t file, size_t frame, std::vector<std::byte> raw);
  FrameDecompressor& decompressor() { return decompressor_; }

 private:
  struct Entry {
    uint64_t file = 0;
    size_t frame = 0;
    std::vector<std::byte> raw;
  };
  std::list<Entry> entries_;  // the latest used first
  uint64_t last_file_ = 0;
  FrameDecompressor decompressor_;
};

// A file that is compressed, or put back, while it is open here stays readable as it was. Used by one thread at a time.
class StreamFile {
 public:
  // `folder` is the batch's, borrowed for the call; `cache` outlives the file. Where there are both, the plain one counts: then
  // the change from one to the other was cut short. kNotFound: nothing was ever written to the stream. kDataLoss, naming the job:
  // what is there is no compressed log.
  static base::Result<StreamFile> Open(int folder, uint32_t index, launch::Stream stream, FrameCache& cache);

  bool compressed() const { return table_.has_value(); }
  // Of the stream, in bytes, by now.
  base::Result<uint64_t> Size() const;
  // Whether the bytes up to `end` are here, or could only come here: false when a later attempt writes to another file.
  bool Holds(uint64_t end);
  // Reads up to data.size() bytes at offset; fewer only at the end. kDataLoss, naming the job, where a frame is damaged.
  base::Result<size_t> PreadUpTo(std::span<std::byte> data, uint64_t offset);

 private:
  StreamFile(std::string name, base::Fd fd, FrameCache& cache) : name_(std::move(name)), fd_(std::move(fd)), cache_(&cache) {}
  base::Status ReadTable();
  // The bytes of the frame.
  base::Result<std::span<const std::byte>> Frame(size_t frame);

  std::string name_;  // for errors
  base::Fd fd_;
  FrameCache* cache_;
  uint64_t id_ = 0;        // in the cache
  uint64_t at_least_ = 0;  // plain: its size when last looked at
  std::optional<SeekTable> table_;
};

}  // namespace jobd::worker
