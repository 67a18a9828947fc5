#include "worker/logs/log_search.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "worker/logs/open_logs.h"

namespace jobd::worker {
namespace {

using launch::IndexRecord;
using launch::kIndexRecordSize;
using launch::Stream;

constexpr size_t kBlock = 64 * 1024;
// What is read at once of short records, which are looked at one after the other.
constexpr size_t kWindow = 4096;
// How many logs of a search may keep what they have read, about 6 KiB each: their files may be closed meanwhile.
constexpr size_t kMaxReadAhead = 1024;
constexpr size_t kRecordsAtOnce = 64;

// The index of one job, by record number. A damaged record reads as absent. Callers look at the neighbours of a record next, so a
// block of them is read at once.
class IndexFile {
 public:
  // An index that is not there has no records.
  static base::Result<IndexFile> Open(int folder, uint32_t index) {
    IndexFile file;
    auto opened = base::OpenBeneath(folder, launch::IndexName(index), O_RDONLY | O_NONBLOCK);
    if (!opened.ok()) {
      if (opened.error().code() == base::Code::kNotFound) return file;
      return std::move(opened).error();
    }
    struct stat about {};
    if (::fstat(opened->get(), &about) != 0) return base::SysError("reading an index", errno);
    file.count_ = static_cast<uint64_t>(about.st_size) / kIndexRecordSize;
    file.fd_ = std::move(*opened);
    return file;
  }

  uint64_t count() const { return count_; }

  // Whether At needs no open file for it.
  bool HasRead(uint64_t number) const { return number >= first_ && number < first_ + loaded_; }

  // `number` is below count().
  base::Result<std::optional<IndexRecord>> At(uint64_t number) {
    if (!HasRead(number)) {
      loaded_ = 0;
      first_ = number / kRecordsAtOnce * kRecordsAtOnce;
      JOBD_ASSIGN_OR_RETURN(const size_t size, base::PreadUpTo(fd_.get(), block_, first_ * kIndexRecordSize));
      loaded_ = size / kIndexRecordSize;
      if (number >= first_ + loaded_) return std::optional<IndexRecord>();
    }
    const auto at = static_cast<size_t>(number - first_) * kIndexRecordSize;
    const auto record = launch::DecodeIndex(std::span<const std::byte>(block_).subspan(at, kIndexRecordSize));
    return record.ok() ? std::optional<IndexRecord>(*record) : std::nullopt;
  }

  bool open() const { return fd_.get() >= 0; }
  void Close() { fd_.reset(); }

 private:
  base::Fd fd_;
  uint64_t count_ = 0;
  std::array<std::byte, kRecordsAtOnce * kIndexRecordSize> block_;  // records from first_ on
  uint64_t first_ = 0;
  uint64_t loaded_ = 0;
};

// The first record for which `is_behind` holds, given that it holds for all later ones too, among those it has an answer for.
template <typename IsBehind>
base::Result<uint64_t> Search(IndexFile& index, IsBehind is_behind) {
  uint64_t low = 0;
  uint64_t high = index.count();
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    // The nearest record from the middle on that has an answer.
    uint64_t probe = middle;
    std::optional<bool> behind;
    for (; probe < high && !behind; ++probe) {
      JOBD_ASSIGN_OR_RETURN(const auto record, index.At(probe));
      if (record) behind = is_behind(*record);
    }
    if (behind && !*behind) {
      low = probe;
    } else {
      high = middle;
    }
  }
  return low;
}

// One job, read backwards. Its files are opened when they are needed, and what was read of them is kept for the records before.
class BackwardLog {
 public:
  // Who has files open, and who keeps what was read.
  struct Held;

  // `cache` and `held` are borrowed and outlive the log.
  BackwardLog(int folder, const TailJob& job, std::optional<Stream> only, FrameCache& cache, Held& held)
      : folder_(folder), index_(job.index), first_(job.first), end_(job.end), only_(only), cache_(cache), held_(held) {}

  // The latest record that was not counted, once StepBack was called; none: all were.
  const std::optional<IndexRecord>& record() const { return record_; }
  uint32_t index() const { return index_; }
  LogPosition Here() const { return AtRecord(number_.value_or(first_)); }

  // Goes on with the record before this one; the first time, with the last there is.
  base::Status StepBack();

  void CloseFiles() {
    if (file_) file_->Close();
    out_.file.reset();
    err_.file.reset();
  }
  void DropReadAhead() {
    CloseFiles();
    file_.reset();
    out_.window = err_.window = {};
  }

  // Counts the lines of this record from its end. The position behind the line that is one too many, if it is in here.
  base::Result<std::optional<LogPosition>> Count(uint64_t& lines);

 private:
  struct Data {
    std::optional<StreamFile> file;
    std::string window;         // bytes of the stream that were read last
    uint64_t window_begin = 0;  // where in the stream they are
    bool seen = false;          // the last byte was counted
  };

  base::Status ReadIndex();
  // The bytes of a stream, fewer where its file ends before; valid until the next call.
  base::Result<std::string_view> Read(Stream stream, uint64_t begin, uint64_t end);

  const int folder_;
  const uint32_t index_;
  const uint64_t first_, end_;  // records that count
  const std::optional<Stream> only_;
  FrameCache& cache_;
  Held& held_;
  std::unique_ptr<IndexFile> file_;
  std::optional<uint64_t> number_;  // records from here on have been counted; absent until it is known how many there are
  std::optional<IndexRecord> record_;
  Data out_, err_;
};

struct BackwardLog::Held {
  OpenLogs<BackwardLog> files;
  OpenLogs<BackwardLog, &BackwardLog::DropReadAhead, kMaxReadAhead> read_ahead;

  void Forget(BackwardLog& log) {
    files.Forget(log);
    read_ahead.Forget(log);
    log.DropReadAhead();
  }
};

base::Status BackwardLog::ReadIndex() {
  held_.files.Use(*this);
  JOBD_ASSIGN_OR_RETURN(IndexFile file, IndexFile::Open(folder_, index_));
  file_ = std::make_unique<IndexFile>(std::move(file));
  if (!number_) number_ = std::max(std::min(file_->count(), end_), first_);
  return base::Ok();
}

base::Status BackwardLog::StepBack() {
  held_.read_ahead.Use(*this);
  record_.reset();
  // Of a long record nothing is left to read.
  for (Data* const data : {&out_, &err_}) {
    if (data->window.size() > kWindow) data->window = {};
  }
  if (!number_) JOBD_RETURN_IF_ERROR(ReadIndex());
  while (*number_ > first_ && !record_) {
    if (!file_ || (!file_->open() && !file_->HasRead(*number_ - 1))) JOBD_RETURN_IF_ERROR(ReadIndex());
    JOBD_ASSIGN_OR_RETURN(record_, file_->At(*number_ - 1));
    if (record_ && (record_->gap || (only_ && record_->stream != *only_))) record_.reset();
    if (!record_) --*number_;
  }
  return base::Ok();
}

base::Result<std::optional<LogPosition>> BackwardLog::Count(uint64_t& lines) {
  held_.read_ahead.Use(*this);
  const IndexRecord& record = *record_;
  bool& seen = (record.stream == Stream::kOut ? out_ : err_).seen;
  for (uint64_t end = record.offset + record.length; end > record.offset;) {
    const uint64_t begin = end - std::min<uint64_t>(end - record.offset, kBlock);
    JOBD_ASSIGN_OR_RETURN(const std::string_view block, Read(record.stream, begin, end));
    for (size_t i = block.size(); i > 0; --i) {
      const bool ends_line = block[i - 1] == '\n' || !seen;
      seen = true;
      if (!ends_line) continue;
      if (lines > 0) {
        --lines;
        continue;
      }
      LogPosition cut = AtRecord(*number_ - 1);
      cut.Of(record.stream) = begin + i;
      return std::optional<LogPosition>(cut);
    }
    end = begin;
  }
  --*number_;
  return std::optional<LogPosition>();
}

base::Result<std::string_view> BackwardLog::Read(Stream stream, uint64_t begin, uint64_t end) {
  Data& data = stream == Stream::kOut ? out_ : err_;
  const auto in_window = [&] { return begin >= data.window_begin && end <= data.window_begin + data.window.size(); };
  if (!in_window()) {
    held_.files.Use(*this);
    if (!data.file || !data.file->Holds(end)) {
      auto file = StreamFile::Open(folder_, index_, stream, cache_);
      // Gone: no line ends in it. Whoever reads forward is told that there is a gap.
      if (!file.ok() && file.error().code() == base::Code::kNotFound) return std::string_view();
      if (!file.ok()) return std::move(file).error();
      data.file = *std::move(file);
    }
    data.window_begin = std::min(begin, end - std::min<uint64_t>(end, kWindow));
    data.window.resize(static_cast<size_t>(end - data.window_begin));
    const auto size = data.file->PreadUpTo(std::as_writable_bytes(std::span(data.window)), data.window_begin);
    data.window.resize(size.ok() ? *size : 0);
    if (!size.ok()) return size.error();
  }
  const uint64_t from = begin - data.window_begin;
  if (from > data.window.size()) return std::string_view();
  return std::string_view(data.window).substr(static_cast<size_t>(from), static_cast<size_t>(end - begin));
}

}  // namespace

LogPosition AtRecord(uint64_t record) {
  if (record == 0) return {};
  return {.record = record, .out = LogPosition::kUnknown, .err = LogPosition::kUnknown};
}

base::Result<LogPosition> SeekTime(int folder, uint32_t index, base::Nanos time) {
  JOBD_ASSIGN_OR_RETURN(IndexFile file, IndexFile::Open(folder, index));
  JOBD_ASSIGN_OR_RETURN(const uint64_t number,
                        Search(file, [&](const IndexRecord& record) { return std::optional<bool>(record.time >= time); }));
  if (number > 0) {
    // Some of its bytes may have come later than it began.
    JOBD_ASSIGN_OR_RETURN(const auto before, file.At(number - 1));
    if (before && before->gathered && time - before->time < launch::kGatherWindow) return AtRecord(number - 1);
  }
  return AtRecord(number);
}

base::Result<LogPosition> SeekOffset(int folder, uint32_t index, Stream stream, uint64_t offset) {
  JOBD_ASSIGN_OR_RETURN(IndexFile file, IndexFile::Open(folder, index));
  JOBD_ASSIGN_OR_RETURN(const uint64_t number, Search(file, [&](const IndexRecord& record) -> std::optional<bool> {
                          if (record.stream != stream) return std::nullopt;
                          return record.offset + (record.gap ? 0 : record.length) > offset;
                        }));
  LogPosition position = AtRecord(number);
  position.Of(stream) = offset;
  return position;
}

base::Result<std::map<uint32_t, LogPosition>> SeekLines(int folder, std::optional<Stream> only, uint64_t lines,
                                                        const std::function<base::Result<std::optional<TailJob>>()>& next) {
  std::map<uint32_t, LogPosition> positions;
  FrameCache cache;
  // In the order in which they were asked for. Of most of them nothing is open.
  std::vector<std::unique_ptr<BackwardLog>> logs;
  BackwardLog::Held held;
  // The times of their records and their places in `logs`, the latest on top.
  std::priority_queue<std::pair<base::Nanos, size_t>> latest;
  const auto step_back = [&](size_t place) -> base::Status {
    BackwardLog& log = *logs[place];
    JOBD_RETURN_IF_ERROR(log.StepBack());
    if (log.record()) {
      latest.emplace(log.record()->time, place);
    } else {
      held.Forget(log);
    }
    return base::Ok();
  };
  JOBD_ASSIGN_OR_RETURN(std::optional<TailJob> waiting, next());
  for (;;) {
    // Every job has to be known that could have a later record.
    if (waiting && (latest.empty() || waiting->ended_at == 0 || waiting->ended_at >= latest.top().first)) {
      logs.push_back(std::make_unique<BackwardLog>(folder, *waiting, only, cache, held));
      JOBD_RETURN_IF_ERROR(step_back(logs.size() - 1));
      JOBD_ASSIGN_OR_RETURN(waiting, next());
      continue;
    }
    if (latest.empty()) break;
    const size_t place = latest.top().second;
    latest.pop();
    BackwardLog& log = *logs[place];
    JOBD_ASSIGN_OR_RETURN(const auto cut, log.Count(lines));
    if (cut) {
      positions[log.index()] = *cut;
      break;
    }
    JOBD_RETURN_IF_ERROR(step_back(place));
  }
  for (const auto& log : logs) positions.try_emplace(log->index(), log->Here());
  return positions;
}

}  // namespace jobd::worker
