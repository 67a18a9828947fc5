#include "worker/keep/stream_compress.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "base/files.h"
#include "worker/logs/stream_file.h"

namespace jobd::worker {
namespace {

using launch::Stream;

constexpr std::array kStreams = {Stream::kOut, Stream::kErr};
constexpr mode_t kMode = 0600;  // as the shim makes them

// The size of a regular file; nothing where there is none.
std::optional<uint64_t> SizeOf(int folder, const std::string& name) {
  struct stat about {};
  if (::fstatat(folder, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(about.st_mode)) return std::nullopt;
  return static_cast<uint64_t>(about.st_size);
}

base::Status Unlink(int folder, const std::string& name) {
  if (::unlinkat(folder, name.c_str(), 0) != 0 && errno != ENOENT) return base::SysError("deleting " + name, errno);
  return base::Ok();
}

// A file that is written under a temporary name, until Publish.
class NewFile {
 public:
  static base::Result<NewFile> Create(int folder, std::string name) {
    const std::string temporary = "." + name + ".new";
    // One that was left behind is deleted, not written to: nobody may have this one open.
    JOBD_RETURN_IF_ERROR(Unlink(folder, temporary));
    JOBD_ASSIGN_OR_RETURN(base::Fd fd, base::OpenBeneath(folder, temporary, O_WRONLY | O_CREAT | O_EXCL, kMode));
    return NewFile(folder, std::move(name), temporary, std::move(fd));
  }
  NewFile(NewFile&&) = default;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile() {
    if (fd_) (void)Unlink(folder_, temporary_);
  }

  base::Status Append(std::span<const std::byte> bytes) {
    JOBD_RETURN_IF_ERROR(base::PwriteAll(fd_.get(), bytes, size_));
    size_ += bytes.size();
    return base::Ok();
  }
  uint64_t size() const { return size_; }
  // It is on the disk under its name when this returns.
  base::Status Publish() {
    if (::fsync(fd_.get()) != 0) return base::SysError("syncing " + name_, errno);
    if (::renameat(folder_, temporary_.c_str(), folder_, name_.c_str()) != 0) return base::SysError("renaming " + name_, errno);
    fd_.reset();
    if (::fsync(folder_) != 0) return base::SysError("syncing the folder of " + name_, errno);
    return base::Ok();
  }

 private:
  NewFile(int folder, std::string name, std::string temporary, base::Fd fd)
      : folder_(folder), name_(std::move(name)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}

  int folder_;
  std::string name_;
  std::string temporary_;
  base::Fd fd_;
  uint64_t size_ = 0;
};

base::Error Stopped() { return {base::Code::kCancelled, "stopped"}; }

// The file is plain and of at least kMinCompressedBytes. False: it stays as it is.
base::Result<bool> CompressFile(int folder, const std::string& name, const std::string& to, const StopAsked& stop) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd from, base::OpenBeneath(folder, name, O_RDONLY));
  JOBD_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(folder, to));
  FrameCompressor compressor;
  SeekTable table;
  std::vector<std::byte> raw(kFrameBytes);
  for (;;) {
    if (stop()) return Stopped();
    JOBD_ASSIGN_OR_RETURN(const size_t size, base::PreadUpTo(from.get(), raw, table.size));
    if (size == 0) break;
    JOBD_ASSIGN_OR_RETURN(const auto frame, compressor.Compress(std::span(raw).first(size)));
    JOBD_RETURN_IF_ERROR(file.Append(frame));
    table.size += size;
    table.ends.push_back(file.size());
    if (size < raw.size()) break;
  }
  const std::string encoded = EncodeSeekTable(table);
  if (file.size() + encoded.size() >= table.size) return false;
  JOBD_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(encoded))));
  JOBD_RETURN_IF_ERROR(file.Publish());
  return true;
}

base::Status CompressStream(int folder, uint32_t index, Stream stream, uint64_t room, const StopAsked& stop, Compressed& done) {
  const std::string plain = StreamName(index, stream);
  const std::string compressed = CompressedName(index, stream);
  const std::optional<uint64_t> size = SizeOf(folder, plain);
  if (!size) {
    done.any = done.any || SizeOf(folder, compressed).has_value();
    return base::Ok();
  }
  bool replaced = false;
  if (*size >= kMinCompressedBytes && *size <= kMaxFrames * kFrameBytes && *size <= room) {
    done.bytes += *size;
    JOBD_ASSIGN_OR_RETURN(replaced, CompressFile(folder, plain, compressed, stop));
  }
  done.any = done.any || replaced;
  // What is left beside a plain file comes from a change that was cut short.
  return Unlink(folder, replaced ? plain : compressed);
}

base::Status ExpandStream(int folder, uint32_t index, Stream stream, const StopAsked& stop) {
  const std::string plain = StreamName(index, stream);
  const std::string compressed = CompressedName(index, stream);
  if (!SizeOf(folder, compressed)) return base::Ok();
  if (!SizeOf(folder, plain)) {
    FrameCache cache;
    JOBD_ASSIGN_OR_RETURN(StreamFile from, StreamFile::Open(folder, index, stream, cache));
    JOBD_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(folder, plain));
    std::vector<std::byte> raw(kFrameBytes);
    for (;;) {
      if (stop()) return Stopped();
      JOBD_ASSIGN_OR_RETURN(const size_t size, from.PreadUpTo(raw, file.size()));
      if (size == 0) break;
      JOBD_RETURN_IF_ERROR(file.Append(std::span(raw).first(size)));
    }
    JOBD_RETURN_IF_ERROR(file.Publish());
  }
  return Unlink(folder, compressed);
}

}  // namespace

base::Result<Compressed> CompressJob(int folder, uint32_t index, uint64_t room, const StopAsked& stop) {
  Compressed done;
  for (const Stream stream : kStreams) JOBD_RETURN_IF_ERROR(CompressStream(folder, index, stream, room, stop, done));
  return done;
}

bool HasCompressed(int folder, uint32_t index) {
  return std::any_of(kStreams.begin(), kStreams.end(),
                     [&](Stream stream) { return SizeOf(folder, CompressedName(index, stream)).has_value(); });
}

base::Status ExpandJob(int folder, uint32_t index, const StopAsked& stop) {
  for (const Stream stream : kStreams) JOBD_RETURN_IF_ERROR(ExpandStream(folder, index, stream, stop));
  return base::Ok();
}

}  // namespace jobd::worker
