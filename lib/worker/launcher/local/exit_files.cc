#include "worker/launcher/local/exit_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/files.h"
#include "worker/launcher/local/stop_reasons.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

// How many slots one call reads at most, whether or not a job runs in each of them.
constexpr size_t kSlotsAtOnce = 256;
constexpr size_t kMaxStops = 64u << 20;

bool IsOlder(int file, base::Nanos time) {
  struct stat about {};
  return ::fstat(file, &about) == 0 && about.st_mtim.tv_sec * base::kNanosPerSecond + about.st_mtim.tv_nsec < time;
}

// Whether anything is written in a file of slots, which has none but zeros when it is made.
bool HasRecords(int file) {
  std::vector<std::byte> bytes(kSlotsAtOnce * launch::kSlotSize);
  for (uint64_t offset = 0;;) {
    const off_t data = ::lseek(file, static_cast<off_t>(offset), SEEK_DATA);
    if (data < 0 && errno == ENXIO) return false;
    if (data > 0) offset = static_cast<uint64_t>(data);
    const auto read = base::PreadUpTo(file, bytes, offset);
    if (!read.ok() || *read == 0) return !read.ok();
    if (std::any_of(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(*read),
                    [](std::byte b) { return b != std::byte{}; })) {
      return true;
    }
    offset += *read;
  }
}

bool HoldsRecordsFromBefore(int folder, base::Nanos time) {
  const auto file = base::OpenBeneath(folder, launch::kExitFileName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  return file.ok() && IsOlder(file->get(), time) && HasRecords(file->get());
}

base::Error NotOpen() { return {base::Code::kDataLoss, "the exit file cannot be opened"}; }

}  // namespace

base::Result<launch::SlotRecord> ExitFile::Read(uint32_t index) const {
  if (!file) return NotOpen();
  return launch::ReadSlot(file.get(), index);
}

base::Result<std::optional<int>> ExitFile::Holder(uint32_t index) const {
  if (!file) return NotOpen();
  return launch::SlotHolder(file.get(), index);
}

SlotWindow::SlotWindow(int file, uint32_t first, uint32_t last)
    : file_(file), bytes_(std::min<size_t>(kSlotsAtOnce, size_t{last} - first + 1) * launch::kSlotSize) {}

std::optional<std::span<const std::byte>> SlotWindow::At(uint32_t index) {
  if (index >= first_ + count_) {
    const auto read = base::PreadUpTo(file_, bytes_, launch::SlotOffset(index));
    first_ = index;
    count_ = read.ok() ? *read / launch::kSlotSize : 0;
    if (count_ == 0) return std::nullopt;
  }
  return std::span<const std::byte>(bytes_).subspan((index - first_) * launch::kSlotSize, launch::kSlotSize);
}

base::Result<std::unique_ptr<ExitFiles>> ExitFiles::Create(int log_dir) {
  JOBD_ASSIGN_OR_RETURN(auto events, FileEvents::Create());
  return std::unique_ptr<ExitFiles>(new ExitFiles(log_dir, std::move(events)));
}

ExitFiles::~ExitFiles() { End(); }

void ExitFiles::Begin(LauncherLoop& loop, std::function<void(uint64_t batch)> written) {
  loop_ = &loop;
  written_ = std::move(written);
  loop.WatchReadable(events_->fd(), [this] { OnReadable(); });
}

void ExitFiles::End() {
  if (loop_ != nullptr) std::exchange(loop_, nullptr)->Unwatch(events_->fd());
}

void ExitFiles::OnReadable() {
  events_->Dispatch();
  // However many events came, a file is looked at once.
  for (const uint64_t batch : std::exchange(dirty_batches_, {})) written_(batch);
}

base::Result<ExitFiles::Made> ExitFiles::Make(const BatchPlace& place, std::span<const launch::JobKey> begun) const {
  if (!begun.empty()) JOBD_RETURN_IF_ERROR(MarkBegun(place, begun));
  Made made;
  JOBD_ASSIGN_OR_RETURN(made.folder, MakeBatchFolder(log_dir_, place.name));
  // What another batch of this ID left, as one that a restored database does not know, must not be taken for the ends of these
  // jobs. Before room is made in the file, which would make it look new.
  if (place.untouched_since > 0 && HoldsRecordsFromBefore(made.folder.get(), place.untouched_since)) {
    return base::Error(base::Code::kDataLoss, "the batch's folder holds the records of another batch").WithErrno(EEXIST);
  }
  JOBD_ASSIGN_OR_RETURN(made.file, launch::OpenExitFile(made.folder.get(), place.job_count));
  return made;
}

ExitFile ExitFiles::WatchMade(Made made, uint64_t batch) {
  auto watch = Watch(made.folder.get(), batch);
  return {.file = std::move(made.file), .watch = std::move(watch)};
}

std::unique_ptr<FileWatch> ExitFiles::Watch(int folder, uint64_t batch) {
  auto watch = events_->WatchFile(folder, launch::kExitFileName, [this, batch](std::string_view) { dirty_batches_.insert(batch); });
  // Without a watch (the user's inotify limits are used up) jobd still tells when a shim is gone: ends are only seen later.
  return watch.ok() ? *std::move(watch) : nullptr;
}

ExitFiles::Found ExitFiles::OpenFound(const BatchPlace& place) {
  Found found;
  const auto folder = OpenBatchFolder(log_dir_, place.name);
  found.without_folder = !folder.ok();
  if (!folder.ok()) return found;
  auto file = base::OpenBeneath(folder->get(), launch::kExitFileName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat about {};
  if (!file.ok() || ::fstat(file->get(), &about) != 0 || !S_ISREG(about.st_mode)) return found;
  found.whole = static_cast<uint64_t>(about.st_size) >= launch::SlotOffset(place.job_count + 1);
  found.exits = {.file = *std::move(file), .watch = Watch(folder->get(), place.batch)};
  return found;
}

base::Status ExitFiles::MarkBegun(const BatchPlace& place, std::span<const launch::JobKey> attempts) const {
  JOBD_ASSIGN_OR_RETURN(const base::Fd folder, MakeBatchFolder(log_dir_, place.name));
  JOBD_ASSIGN_OR_RETURN(const base::Fd file,
                        base::OpenBeneath(folder.get(), launch::kExitFileName, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600));
  for (const launch::JobKey& key : attempts) {
    const auto slot = launch::ReadSlot(file.get(), key.index);
    // Of this attempt, or of a later one, which says that this one is over.
    if (slot.ok() && slot->phase != launch::Phase::kNone && slot->attempt >= key.attempt) continue;
    if (const auto holder = launch::SlotHolder(file.get(), key.index); holder.ok() && *holder) continue;  // it writes its own
    const auto begun = launch::EncodeSlot({.phase = launch::Phase::kBorn, .attempt = key.attempt});
    JOBD_RETURN_IF_ERROR(base::PwriteAll(file.get(), begun, launch::SlotOffset(key.index)));
  }
  return base::Ok();
}

base::Status ExitFiles::AppendStops(const BatchName& batch, const std::string& text) const {
  JOBD_ASSIGN_OR_RETURN(const base::Fd folder, OpenBatchFolder(log_dir_, batch));
  JOBD_ASSIGN_OR_RETURN(const base::Fd file,
                        base::OpenBeneath(folder.get(), kStopsName, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0600));
  JOBD_RETURN_IF_ERROR(base::WriteAll(file.get(), text));
  return ::fdatasync(file.get()) == 0 ? base::Ok() : base::Status(base::SysError("writing why jobs end", errno));
}

std::string ExitFiles::ReadStops(const BatchName& batch) const {
  const auto folder = OpenBatchFolder(log_dir_, batch);
  if (!folder.ok()) return {};
  const auto file = base::OpenBeneath(folder->get(), kStopsName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat about {};
  if (!file.ok() || ::fstat(file->get(), &about) != 0 || !S_ISREG(about.st_mode)) return {};
  auto text = base::ReadAll(file->get(), kMaxStops);
  return text.ok() ? std::move(text).value() : std::string();
}

}  // namespace jobd::worker
