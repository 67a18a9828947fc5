#include "worker/logs/stream_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/files.h"

namespace jobd::worker {
namespace {

constexpr size_t kFramesKept = 16;
// The plain file, the compressed one, and again: between two looks one may have become the other.
constexpr int kLooks = 4;

std::string NameForPeople(uint32_t index, launch::Stream stream) {
  return std::string(stream == launch::Stream::kOut ? "stdout" : "stderr") + " of job " + std::to_string(index);
}

}  // namespace

std::string StreamName(uint32_t index, launch::Stream stream) {
  return stream == launch::Stream::kOut ? launch::OutName(index) : launch::ErrName(index);
}

std::string CompressedName(uint32_t index, launch::Stream stream) { return StreamName(index, stream) + ".zst"; }

const std::vector<std::byte>* FrameCache::Find(uint64_t file, size_t frame) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& one) { return one.file == file && one.frame == frame; });
  if (found == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found);
  return &found->raw;
}

const std::vector<std::byte>& FrameCache::Put(uint64_t file, size_t frame, std::vector<std::byte> raw) {
  if (entries_.size() == kFramesKept) entries_.pop_back();
  entries_.push_front({.file = file, .frame = frame, .raw = std::move(raw)});
  return entries_.front().raw;
}

base::Result<StreamFile> StreamFile::Open(int folder, uint32_t index, launch::Stream stream, FrameCache& cache) {
  base::Error missing(base::Code::kNotFound, "");
  for (int look = 0; look < kLooks; ++look) {
    const bool plain = look % 2 == 0;
    // Nobody but jobd writes here; all the same no reader waits for what somebody may have put in a file's place.
    auto opened =
        base::OpenBeneath(folder, plain ? StreamName(index, stream) : CompressedName(index, stream), O_RDONLY | O_NONBLOCK);
    struct stat about {};
    if (opened.ok() && (::fstat(opened->get(), &about) != 0 || !S_ISREG(about.st_mode))) continue;
    if (opened.ok()) {
      StreamFile file(NameForPeople(index, stream), std::move(*opened), cache);
      if (!plain) {
        if (base::Status read = file.ReadTable(); !read.ok()) return std::move(read).error().WithContext(file.name_);
      }
      return file;
    }
    if (opened.error().code() != base::Code::kNotFound) return std::move(opened).error();
    missing = std::move(opened).error();
  }
  return missing;
}

base::Status StreamFile::ReadTable() {
  struct stat about {};
  if (::fstat(fd_.get(), &about) != 0) return base::SysError("looking at a compressed log", errno);
  const auto file_size = static_cast<uint64_t>(about.st_size);
  std::array<std::byte, kSeekFooterSize> footer;
  const uint64_t footer_at = file_size - std::min<uint64_t>(file_size, footer.size());
  JOBD_ASSIGN_OR_RETURN(const size_t got, base::PreadUpTo(fd_.get(), footer, footer_at));
  JOBD_ASSIGN_OR_RETURN(const size_t size, SeekTableSize(std::span(footer).first(got), file_size));
  std::vector<std::byte> bytes(size);
  JOBD_ASSIGN_OR_RETURN(const size_t read, base::PreadUpTo(fd_.get(), bytes, file_size - size));
  JOBD_ASSIGN_OR_RETURN(table_, DecodeSeekTable(std::span(bytes).first(read), file_size));
  id_ = cache_->NewFile();
  return base::Ok();
}

base::Result<uint64_t> StreamFile::Size() const {
  if (table_) return table_->size;
  struct stat about {};
  if (::fstat(fd_.get(), &about) != 0) return base::SysError("looking at a log", errno);
  return static_cast<uint64_t>(about.st_size);
}

bool StreamFile::Holds(uint64_t end) {
  if (table_) return end <= table_->size;
  if (end <= at_least_) return true;
  struct stat about {};
  if (::fstat(fd_.get(), &about) != 0) return true;
  at_least_ = static_cast<uint64_t>(about.st_size);
  return end <= at_least_ || about.st_nlink > 0;
}

base::Result<std::span<const std::byte>> StreamFile::Frame(size_t frame) {
  if (const auto* known = cache_->Find(id_, frame)) return std::span<const std::byte>(*known);
  std::vector<std::byte> bytes(static_cast<size_t>(table_->ends[frame] - table_->Begin(frame)));
  JOBD_ASSIGN_OR_RETURN(const size_t got, base::PreadUpTo(fd_.get(), bytes, table_->Begin(frame)));
  std::vector<std::byte> raw(table_->RawSize(frame));
  JOBD_RETURN_IF_ERROR(cache_->decompressor().Decompress(std::span(bytes).first(got), raw));
  return std::span<const std::byte>(cache_->Put(id_, frame, std::move(raw)));
}

base::Result<size_t> StreamFile::PreadUpTo(std::span<std::byte> data, uint64_t offset) {
  if (!table_) return base::PreadUpTo(fd_.get(), data, offset);
  size_t done = 0;
  while (done < data.size() && offset + done < table_->size) {
    const uint64_t place = offset + done;
    auto frame = Frame(static_cast<size_t>(place / kFrameBytes));
    if (!frame.ok()) return std::move(frame).error().WithContext(name_);
    const auto rest = frame->subspan(static_cast<size_t>(place % kFrameBytes));
    const size_t size = std::min(rest.size(), data.size() - done);
    std::memcpy(data.data() + done, rest.data(), size);
    done += size;
  }
  return done;
}

}  // namespace jobd::worker
