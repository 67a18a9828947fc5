#include "launch/contract/exit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"

namespace jobd::launch {

base::Result<SlotRecord> ReadSlot(int exit_file, uint32_t index) {
  if (index == 0) return base::Error(base::Code::kInvalidArgument, "exit slots count from 1");
  SlotBytes bytes{};
  JOBD_ASSIGN_OR_RETURN(const size_t size, base::PreadUpTo(exit_file, bytes, SlotOffset(index)));
  if (size == 0) return SlotRecord{};
  return DecodeSlot(std::span<const std::byte>(bytes).first(size));
}

base::Result<std::optional<int>> SlotHolder(int exit_file, uint32_t index) {
  if (index == 0) return base::Error(base::Code::kInvalidArgument, "exit slots count from 1");
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(SlotOffset(index));
  lock.l_len = kSlotSize;
  if (::fcntl(exit_file, F_GETLK, &lock) != 0) return base::SysError("asking for the lock of an exit slot", errno);
  if (lock.l_type == F_UNLCK) return std::optional<int>();
  return std::optional<int>(lock.l_pid);
}

uint64_t BootTag() {
  const auto text = base::ReadFile(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 256);
  if (!text.ok()) return 0;
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : *text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

base::Result<base::Fd> OpenExitFile(int dir, uint32_t job_count) {
  auto opened = base::OpenBeneath(dir, kExitFileName, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  // What is there can be read on a disk that takes no writes, and tells what became of jobs.
  if (!opened.ok() && opened.error().sys_errno() == EROFS) opened = base::OpenBeneath(dir, kExitFileName, O_RDONLY | O_NOFOLLOW);
  JOBD_ASSIGN_OR_RETURN(base::Fd file, std::move(opened));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return base::SysError("looking at the exit file", errno);
  const auto size = static_cast<off_t>(uint64_t{job_count} * kSlotSize);
  // Blocks as well as length: a record must find its place on a disk that is full by then.
  if (info.st_size < size || info.st_blocks * 512 < size) {
    int error = ::fallocate(file.get(), 0, 0, size) == 0 ? 0 : errno;
    if (error == EOPNOTSUPP) error = ::ftruncate(file.get(), size) == 0 ? 0 : errno;
    if (error != 0) return base::SysError("making room for exit records", error);
  }
  return file;
}

}  // namespace jobd::launch
