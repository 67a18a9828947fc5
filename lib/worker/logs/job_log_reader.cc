#include "worker/logs/job_log_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/files.h"

namespace jobd::worker {
namespace {

constexpr size_t kRecordsAtOnce = 64;

// Reads once. A second read, to find out whether that was all, would be a third of what a line costs a follower.
base::Result<size_t> ReadOnce(int fd, std::span<std::byte> bytes, uint64_t offset) {
  for (;;) {
    const ssize_t size = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (size >= 0) return static_cast<size_t>(size);
    if (errno != EINTR) return base::SysError("reading an index", errno);
  }
}

}  // namespace

base::Result<bool> JobLogReader::OpenIndex(int folder) {
  if (idx_) return true;
  auto file = base::OpenBeneath(folder, launch::IndexName(index_), O_RDONLY | O_NONBLOCK);
  if (!file.ok()) {
    if (file.error().code() == base::Code::kNotFound) return false;
    return std::move(file).error();
  }
  idx_ = std::move(*file);
  return true;
}

void JobLogReader::CloseFiles() {
  idx_.reset();
  out_.reset();
  err_.reset();
  // Records that were read ahead are read again: kept for every job of a large batch they would take memory.
  if (position_.record < buffer_first_ + buffer_.size()) at_end_ = false;
  buffer_ = {};
  buffer_first_ = position_.record;
}

base::Result<bool> JobLogReader::Fill(int folder) {
  JOBD_ASSIGN_OR_RETURN(const bool is_there, OpenIndex(folder));
  if (!is_there) return false;
  std::array<std::byte, kRecordsAtOnce * launch::kIndexRecordSize> bytes;
  JOBD_ASSIGN_OR_RETURN(const size_t size, ReadOnce(idx_.get(), bytes, position_.record * launch::kIndexRecordSize));
  at_end_ = size < bytes.size();
  buffer_.clear();
  buffer_first_ = position_.record;
  for (size_t i = 0; i + launch::kIndexRecordSize <= size; i += launch::kIndexRecordSize) {
    const auto record = launch::DecodeIndex(std::span(bytes).subspan(i, launch::kIndexRecordSize));
    buffer_.push_back(record.ok() ? std::optional(*record) : std::nullopt);
  }
  return !buffer_.empty();
}

base::Result<bool> JobLogReader::Load(int folder) {
  while (!head_) {
    if (position_.record < buffer_first_ || position_.record >= buffer_first_ + buffer_.size()) {
      if (at_end_) return false;
      JOBD_ASSIGN_OR_RETURN(const bool more, Fill(folder));
      if (!more) return false;
    }
    const auto& record = buffer_[position_.record - buffer_first_];
    if (!record || (only_ && record->stream != *only_)) {
      ++position_.record;
      continue;
    }
    const uint64_t known = position_.Of(record->stream);
    Head head{
        .time = record->time, .stream = record->stream, .offset = record->offset, .length = record->length, .gap = record->gap};
    if (!record->gap && known != LogPosition::kUnknown) {
      // What lies before the record and was not given yet goes with it; what was given of it is left out.
      const uint64_t end = head.offset + head.length;
      if (end <= known) {
        ++position_.record;
        continue;
      }
      head.offset = known;
      head.length = end - known;
    }
    head_ = head;
    head_is_record_ = true;
  }
  // Here rather than in Take, because here the folder is known.
  if (head_->gap) return true;
  base::Status opened = OpenFile(folder, head_->stream, head_->offset + head_->length);
  if (opened.ok()) return true;
  if (opened.error().code() != base::Code::kNotFound) return std::move(opened).error();
  head_->gap = head_->lost = true;
  return true;
}

base::Status JobLogReader::OpenFile(int folder, launch::Stream stream, uint64_t end) {
  std::optional<StreamFile>& file = FileOf(stream);
  if (file && file->Holds(end)) return base::Ok();
  JOBD_ASSIGN_OR_RETURN(file, StreamFile::Open(folder, index_, stream, cache_));
  return base::Ok();
}

base::Status JobLogReader::Take(size_t max, std::string& data) {
  Head& head = *head_;
  const size_t want = static_cast<size_t>(std::min<uint64_t>(max, head.length));
  const size_t before = data.size();
  data.resize(before + want);
  auto got = FileOf(head.stream)->PreadUpTo(std::as_writable_bytes(std::span(data).subspan(before)), head.offset);
  data.resize(before + (got.ok() ? *got : 0));
  if (!got.ok()) return std::move(got).error();
  head.length -= *got;
  head.offset += *got;
  position_.Of(head.stream) = head.offset;
  // A file that is shorter than its index: a disk that lost its tail, or somebody who cut it.
  if (*got < want) head.gap = head.lost = true;
  if (head.length == 0) {
    if (head_is_record_) ++position_.record;
    head_.reset();
  }
  return base::Ok();
}

void JobLogReader::Skip() {
  // What was dropped before it was written has no place in the file.
  if (head_->lost) position_.Of(head_->stream) = head_->offset + head_->length;
  if (head_is_record_) ++position_.record;
  head_.reset();
}

base::Result<std::optional<JobLogReader::Head>> JobLogReader::Rest(int folder, bool thorough) {
  for (const launch::Stream stream : {launch::Stream::kOut, launch::Stream::kErr}) {
    if (only_ && *only_ != stream) continue;
    uint64_t& known = position_.Of(stream);
    if (known == LogPosition::kUnknown) {
      if (!thorough) continue;
      JOBD_ASSIGN_OR_RETURN(known, CoveredEnd(folder, stream));
    }
    if (base::Status opened = OpenFile(folder, stream, 0); !opened.ok()) {
      if (opened.error().code() == base::Code::kNotFound) continue;  // the stream was never written to
      return std::move(opened).error();
    }
    const auto size = FileOf(stream)->Size();
    if (!size.ok() || *size <= known) continue;
    head_is_record_ = false;
    return std::optional<Head>(Head{.stream = stream, .offset = known, .length = *size - known});
  }
  return std::optional<Head>();
}

base::Result<uint64_t> JobLogReader::CoveredEnd(int folder, launch::Stream stream) {
  JOBD_ASSIGN_OR_RETURN(const bool is_there, OpenIndex(folder));
  if (!is_there) return uint64_t{0};
  std::array<std::byte, kRecordsAtOnce * launch::kIndexRecordSize> bytes;
  for (uint64_t end = position_.record; end > 0;) {
    const uint64_t first = end - std::min<uint64_t>(end, kRecordsAtOnce);
    const auto span = std::span(bytes).first(static_cast<size_t>(end - first) * launch::kIndexRecordSize);
    JOBD_ASSIGN_OR_RETURN(const size_t size, base::PreadUpTo(idx_.get(), span, first * launch::kIndexRecordSize));
    for (size_t i = size / launch::kIndexRecordSize; i > 0; --i) {
      const auto record = launch::DecodeIndex(span.subspan((i - 1) * launch::kIndexRecordSize, launch::kIndexRecordSize));
      if (record.ok() && record->stream == stream && !record->gap) return record->offset + record->length;
    }
    end = first;
  }
  return uint64_t{0};
}

}  // namespace jobd::worker
