// Reads the output of one job forward: its index, record by record, and the bytes of both streams.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "launch/contract/log_index.h"
#include "worker/logs/log_session.h"
#include "worker/logs/stream_file.h"

namespace jobd::worker {

// Where a reader is in a job's output.
struct LogPosition {
  static constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();
  uint64_t record = 0;  // the next index record
  uint64_t out = 0;     // the next byte of each stream; kUnknown: where the next record of it begins
  uint64_t err = 0;
  uint64_t& Of(launch::Stream stream) { return stream == launch::Stream::kOut ? out : err; }
  bool operator==(const LogPosition&) const = default;
};

// Files are opened when they are needed; one that is not there yet is empty. Records that are torn or damaged are passed over: the
// bytes they stood for come with the next record of their stream, or at the end.
class JobLogReader {
 public:
  // `cache` is borrowed and outlives the log.
  JobLogReader(uint32_t index, std::optional<launch::Stream> only, LogPosition position, FrameCache& cache)
      : index_(index), only_(only), position_(position), cache_(cache) {}

  // What the next record still has to give.
  struct Head {
    base::Nanos time = 0;
    launch::Stream stream = launch::Stream::kOut;
    uint64_t offset = 0;
    uint64_t length = 0;
    bool gap = false;   // length bytes are missing here
    bool lost = false;  // a gap of bytes that were kept, and are gone from the file since, or with the file
  };
  // Loads the head, unless it is loaded, and sees to it that Take finds its file open. False: there is none for now. `folder` is
  // the batch's, borrowed. An index that was seen to its end is not looked at again before LookAgain.
  base::Result<bool> Load(int folder);
  // The index may have grown.
  void LookAgain() { at_end_ = false; }
  const Head& head() const { return *head_; }
  bool loaded() const { return head_.has_value(); }
  // Appends up to `max` bytes of the head to `data` and goes on behind them. Not for gaps. Where the file has fewer, the head
  // becomes a gap.
  base::Status Take(size_t max, std::string& data);
  // Goes on behind a gap.
  void Skip();

  // For a job that has ended and has no more records: the bytes of its files that no record covers, as after a crash of its shim.
  // `thorough`: also where the position in a stream is not known, which may take reading the index backwards.
  base::Result<std::optional<Head>> Rest(int folder, bool thorough);
  // Makes such a rest the head.
  void TakeUp(const Head& rest) { head_ = rest; }

  // Closes its files. Where it is, and what is loaded, stays; the next Load opens what it needs.
  void CloseFiles();

  const LogPosition& position() const { return position_; }
  uint32_t index() const { return index_; }
  // Whether the last Load has found it.
  bool HasIndex() const { return static_cast<bool>(idx_); }

 private:
  // False: there is no index yet.
  base::Result<bool> OpenIndex(int folder);
  base::Result<bool> Fill(int folder);
  std::optional<StreamFile>& FileOf(launch::Stream stream) { return stream == launch::Stream::kOut ? out_ : err_; }
  // Sees to it that the stream's file is open, and is one that can have the bytes up to `end`.
  base::Status OpenFile(int folder, launch::Stream stream, uint64_t end);
  base::Result<uint64_t> CoveredEnd(int folder, launch::Stream stream);

  const uint32_t index_;
  const std::optional<launch::Stream> only_;
  LogPosition position_;
  std::optional<Head> head_;
  bool head_is_record_ = false;
  FrameCache& cache_;
  base::Fd idx_;
  std::optional<StreamFile> out_, err_;
  std::vector<std::optional<launch::IndexRecord>> buffer_;  // records from buffer_first_ on; empty where damaged
  uint64_t buffer_first_ = 0;
  bool at_end_ = false;  // behind the buffer there was nothing
};

}  // namespace jobd::worker
