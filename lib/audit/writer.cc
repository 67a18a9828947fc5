#include "audit/writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "audit/file_tail.h"
#include "audit/log_files.h"
#include "base/files.h"
#include "base/text.h"

namespace jobd::audit {

namespace {

base::Error Damaged(const std::string& name, const std::string& problem) {
  return {base::Code::kDataLoss, name + ": its last line: " + problem +
                                     ". Check it with jobd --verify-audit, and move the file away to go on in a new one"};
}

base::Result<struct stat> About(int fd, const std::string& name) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) return base::SysError("looking at " + name, errno);
  return about;
}

}  // namespace

base::Result<std::unique_ptr<Writer>> Writer::Open(int dir, const std::string& name, const Options& options,
                                                   const base::Clock& clock) {
  std::unique_ptr<Writer> writer(new Writer(dir, name, options, clock));
  JOBD_RETURN_IF_ERROR(writer->Begin());
  return writer;
}

base::Result<base::Fd> Writer::OpenFile(const std::string& name, int flags) const {
  JOBD_ASSIGN_OR_RETURN(base::Fd file, base::OpenAt(dir_, name, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | flags, 0600));
  JOBD_ASSIGN_OR_RETURN(const struct stat about, About(file.get(), name));
  if (!S_ISREG(about.st_mode)) return base::Error(base::Code::kFailedPrecondition, name + " is not a file");
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return base::SysError("locking " + name, errno);
    return base::Error(base::Code::kFailedPrecondition, name + " is written to by another process");
  }
  return file;
}

base::Status Writer::Begin() {
  JOBD_ASSIGN_OR_RETURN(base::Fd file, OpenFile(name_, O_CREAT));
  JOBD_RETURN_IF_ERROR(MendTail(file));
  if (head_.seq == 0) JOBD_RETURN_IF_ERROR(FindHeadAside());
  if (options_.known) {
    if (options_.known->seq == head_.seq && *options_.known != head_) return Damaged(name_, "is not the record that was anchored");
    if (options_.known->seq > head_.seq) head_ = *options_.known;
  }
  // The name of a new file, and what was mended.
  if (::fsync(file.get()) != 0) return base::SysError("syncing " + name_, errno);
  if (::fsync(dir_) != 0) return base::SysError("syncing the folder of " + name_, errno);
  file_ = std::move(file);
  return base::Ok();
}

base::Status Writer::MendTail(base::Fd& file) {
  JOBD_ASSIGN_OR_RETURN(const FileTail tail, ReadFileTail(file.get(), name_));
  if (tail.whole_bytes > 0) {
    const auto line = DecodeRecord(tail.last_line);
    if (!line.ok()) return Damaged(name_, line.error().message());
    head_ = line->head;
  }
  if (tail.torn.empty()) return base::Ok();
  // All of the record but its line feed: it says more than a repair could.
  if (const auto whole = DecodeRecord(tail.torn); whole.ok() && (head_.seq == 0 || whole->prev == head_.hash)) {
    JOBD_RETURN_IF_ERROR(base::WriteAll(file.get(), "\n"));
    head_ = whole->head;
    return base::Ok();
  }
  if (::ftruncate(file.get(), static_cast<off_t>(tail.whole_bytes)) != 0) {
    return base::SysError("cutting a torn line off " + name_, errno);
  }
  repair_ = Record{.actor = "jobd",
                   .action = "audit.repair",
                   .code = "OK",
                   .detail = {{"bytes", std::to_string(tail.torn.size())}, {"sha256", base::Hex(base::Sha256Of(tail.torn))}}};
  return base::Ok();
}

base::Status Writer::FindHeadAside() {
  JOBD_ASSIGN_OR_RETURN(const std::vector<std::string> files, LogFiles(dir_, name_));
  for (const std::string& file : files) {
    if (file == name_) continue;
    JOBD_ASSIGN_OR_RETURN(const base::Fd old, base::OpenAt(dir_, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    const auto tail = ReadFileTail(old.get(), file);
    if (!tail.ok()) continue;
    // Others may lie here under such a name, and damage in an old file is for the check to name.
    const auto line = DecodeRecord(tail->last_line);
    if (line.ok() && line->head.seq > head_.seq) head_ = line->head;
  }
  return base::Ok();
}

base::Status Writer::CutBack() {
  if (!cut_to_) return base::Ok();
  if (::ftruncate(file_.get(), static_cast<off_t>(*cut_to_)) != 0)
    return base::SysError("cutting off what was not written whole", errno);
  // Pages of a failed sync are gone with what was cut off: what is written from here on is new.
  if (::fsync(file_.get()) != 0) return base::SysError("syncing " + name_, errno);
  cut_to_.reset();
  return base::Ok();
}

base::Status Writer::Append(std::span<const Record> records) {
  JOBD_RETURN_IF_ERROR(CutBack());
  JOBD_ASSIGN_OR_RETURN(struct stat about, About(file_.get(), name_));
  // Removed: what would be written to it nobody could read.
  if (about.st_nlink == 0) JOBD_RETURN_IF_ERROR(Reopen());
  // Where it cannot be put aside it grows on.
  if (static_cast<uint64_t>(about.st_size) >= options_.max_bytes) (void)Rotate();
  JOBD_ASSIGN_OR_RETURN(about, About(file_.get(), name_));
  Head head = head_;
  std::string lines;
  const auto add = [&](Record record) {
    if (record.time == 0) record.time = clock_.Realtime();
    lines += EncodeRecord(record, head);
    lines += '\n';
  };
  if (repair_) add(*repair_);
  for (const Record& record : records) add(record);
  if (lines.empty()) return base::Ok();

  auto status = base::WriteAll(file_.get(), lines);
  if (status.ok() && options_.sync && ::fdatasync(file_.get()) != 0) status = base::SysError("syncing", errno);
  if (!status.ok()) {
    cut_to_ = static_cast<uint64_t>(about.st_size);
    (void)CutBack();
    return std::move(status).error().WithContext(name_);
  }
  head_ = head;
  repair_.reset();
  return base::Ok();
}

base::Status Writer::Reopen() {
  struct stat named {};
  JOBD_ASSIGN_OR_RETURN(const struct stat ours, About(file_.get(), name_));
  if (::fstatat(dir_, name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0) {
    if (named.st_dev == ours.st_dev && named.st_ino == ours.st_ino) return base::Ok();
  } else if (errno != ENOENT) {
    return base::SysError("looking at " + name_, errno);
  }
  JOBD_RETURN_IF_ERROR(CutBack());
  JOBD_ASSIGN_OR_RETURN(base::Fd file, OpenFile(name_, O_CREAT));
  JOBD_ASSIGN_OR_RETURN(const struct stat about, About(file.get(), name_));
  if (about.st_size > 0) {
    return base::Error(base::Code::kDataLoss, name_ + ": somebody put another file in its place: move it away");
  }
  if (::fsync(dir_) != 0) return base::SysError("syncing the folder of " + name_, errno);
  file_ = std::move(file);
  return base::Ok();
}

base::Status Writer::Rotate() {
  JOBD_RETURN_IF_ERROR(Reopen());
  JOBD_ASSIGN_OR_RETURN(const struct stat about, About(file_.get(), name_));
  if (about.st_size == 0) return base::Ok();
  // The new one is made first: where that fails nothing has changed.
  const std::string fresh = name_ + ".new";
  if (::unlinkat(dir_, fresh.c_str(), 0) != 0 && errno != ENOENT) return base::SysError("removing " + fresh, errno);
  JOBD_ASSIGN_OR_RETURN(base::Fd file, OpenFile(fresh, O_CREAT | O_EXCL));
  const std::string aside = RotatedName(name_, head_.seq);
  if (::renameat2(dir_, name_.c_str(), dir_, aside.c_str(), RENAME_NOREPLACE) != 0) {
    const int why = errno;
    (void)::unlinkat(dir_, fresh.c_str(), 0);
    return base::SysError("putting " + name_ + " aside", why);
  }
  if (::renameat2(dir_, fresh.c_str(), dir_, name_.c_str(), RENAME_NOREPLACE) != 0) {
    const int why = errno;
    (void)::renameat2(dir_, aside.c_str(), dir_, name_.c_str(), RENAME_NOREPLACE);
    (void)::unlinkat(dir_, fresh.c_str(), 0);
    return base::SysError("making a new " + name_, why);
  }
  file_ = std::move(file);
  if (::fsync(dir_) != 0) return base::SysError("syncing the folder of " + name_, errno);
  return base::Ok();
}

}  // namespace jobd::audit
