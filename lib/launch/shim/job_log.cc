#include "launch/shim/job_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/files.h"

namespace jobd::launch {

namespace {

// A record that is so long is not held back: its followers have something to read.
constexpr uint64_t kPlenty = 1024 * 1024;

// Writes as much as the disk takes; returns how much that was.
size_t WriteSome(int fd, std::span<const std::byte> bytes, uint64_t offset) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

}  // namespace

JobLog::JobLog(int dir, FileOwner owner, uint32_t index, uint32_t attempt, uint64_t limit)
    : dir_(dir), owner_(owner), index_(index), first_attempt_(attempt <= 1), limit_(limit) {}

bool JobLog::EnsureOpen(base::Fd& fd, const std::string& name, uint64_t& offset) {
  if (fd) return true;
  const ScopedFsCredentials acting(owner_);
  auto opened = base::OpenBeneath(dir_, name, O_WRONLY | O_CREAT | O_NOFOLLOW | (first_attempt_ ? O_EXCL : 0), 0600);
  struct stat info {};
  if (!opened.ok() || ::fstat(opened->get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    disk_error_ = true;
    return false;
  }
  fd = std::move(opened).value();
  offset = static_cast<uint64_t>(info.st_size);
  return true;
}

bool JobLog::WriteRecord(const IndexRecord& record) {
  if (!index_file_) {
    if (!EnsureOpen(index_file_, IndexName(index_), index_offset_)) return false;
    // A torn record at the end, of an attempt that was cut off, is written over.
    index_offset_ -= index_offset_ % kIndexRecordSize;
  }
  const IndexBytes bytes = EncodeIndex(record);
  if (WriteSome(index_file_.get(), bytes, index_offset_) != bytes.size()) {
    disk_error_ = true;
    (void)!::ftruncate(index_file_.get(), static_cast<off_t>(index_offset_));  // no torn record for readers to meet
    return false;
  }
  index_offset_ += bytes.size();
  index_bytes_ += bytes.size();
  return true;
}

bool JobLog::FlushGap(Stream stream, base::Nanos time) {
  File& f = file(stream);
  if (f.gap > 0 && !f.fd && !first_attempt_) (void)EnsureData(stream);  // a gap stands behind what earlier attempts wrote
  while (f.gap > 0) {
    const auto length = static_cast<uint32_t>(std::min<uint64_t>(f.gap, std::numeric_limits<uint32_t>::max()));
    if (!WriteRecord({.time = time, .offset = f.offset, .length = length, .stream = stream, .gap = true})) return false;
    f.gap -= length;
  }
  return true;
}

bool JobLog::EnsureData(Stream stream) {
  File& f = file(stream);
  return EnsureOpen(f.fd, stream == Stream::kOut ? OutName(index_) : ErrName(index_), f.offset);
}

bool JobLog::FlushPending(base::Nanos now) {
  if (!pending_) return true;
  const IndexRecord record = *std::exchange(pending_, std::nullopt);
  if (WriteRecord(record)) {
    last_record_ = now;
    return true;
  }
  File& f = file(record.stream);
  (void)!::ftruncate(f.fd.get(), static_cast<off_t>(record.offset));  // what is not in the index was not kept
  f.offset = record.offset;
  f.kept -= record.length;
  f.gap += record.length;
  dropped_ += record.length;
  return false;
}

std::optional<base::Nanos> JobLog::due() const {
  if (!pending_) return std::nullopt;
  return last_record_.value_or(0) + kGatherWindow;
}

void JobLog::Settle(base::Nanos now) {
  if (const auto when = due(); when && now >= *when) (void)FlushPending(now);
}

bool JobLog::Extends(Stream stream, size_t size) const {
  return pending_ && pending_->stream == stream && file(stream).gap == 0 &&
         pending_->length + uint64_t{size} <= std::numeric_limits<uint32_t>::max();
}

size_t JobLog::Room(Stream stream, size_t size) const {
  if (limit_ == 0) return size;
  uint64_t records = pending_ ? 1 : 0;
  if (!Extends(stream, size)) records += file(stream).gap > 0 ? 2u : 1u;
  const uint64_t index = index_bytes_ + records * kIndexRecordSize;
  const uint64_t kept = files_[0].kept + files_[1].kept;
  const uint64_t used = kept + (index - std::min(index, kFreeIndexBytes + kept / kFreeIndexShare));
  return static_cast<size_t>(std::min<uint64_t>(size, limit_ - std::min(limit_, used)));
}

size_t JobLog::Keep(Stream stream, std::span<const std::byte> bytes, base::Nanos time, base::Nanos now) {
  File& f = file(stream);
  if (!EnsureData(stream)) return 0;
  const bool extends = Extends(stream, bytes.size());
  // Records are in the order of arrival.
  if (!extends && (!FlushPending(now) || !FlushGap(stream, time))) return 0;
  const size_t size = WriteSome(f.fd.get(), bytes, f.offset);
  if (size < bytes.size()) disk_error_ = true;
  if (size == 0) return 0;
  if (extends) {
    pending_->length += static_cast<uint32_t>(size);
    pending_->gathered = true;
  } else {
    pending_ = {.time = time, .offset = f.offset, .length = static_cast<uint32_t>(size), .stream = stream};
  }
  f.offset += size;
  f.kept += size;
  // The first after a silence does not wait.
  if (!last_record_ || now - *last_record_ >= kGatherWindow || pending_->length >= kPlenty) (void)FlushPending(now);
  return size;
}

void JobLog::Append(Stream stream, std::span<const std::byte> bytes, base::Nanos time, base::Nanos now) {
  const size_t room = Room(stream, bytes.size());
  if (room < bytes.size()) cut_ = true;
  const size_t kept = room > 0 ? Keep(stream, bytes.first(room), time, now) : 0;
  file(stream).gap += bytes.size() - kept;
  dropped_ += bytes.size() - kept;
}

void JobLog::Finish(base::Nanos time) {
  (void)FlushPending(0);
  (void)FlushGap(Stream::kOut, time);  // what the index cannot tell, the exit record does
  (void)FlushGap(Stream::kErr, time);
}

}  // namespace jobd::launch
