#include "launch/shim/exit_slot.h"

#include <fcntl.h>

#include <cerrno>

#include "base/files.h"

namespace jobd::launch {

base::Result<ExitSlot> ExitSlot::Claim(int dir, uint32_t index, uint32_t attempt) {
  JOBD_ASSIGN_OR_RETURN(base::Fd file, base::OpenBeneath(dir, kExitFileName, O_RDWR | O_NOFOLLOW));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(SlotOffset(index));
  lock.l_len = kSlotSize;
  if (::fcntl(file.get(), F_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) return base::SysError("locking the exit slot", errno);
    return base::Error(base::Code::kAlreadyExists, "another shim holds the exit slot").WithErrno(EEXIST);
  }
  // A damaged record is no proof that the attempt did not begin.
  JOBD_ASSIGN_OR_RETURN(const SlotRecord last, ReadSlot(file.get(), index));
  if (last.phase != Phase::kNone && last.attempt >= attempt) {
    return base::Error(base::Code::kAlreadyExists, "this attempt has begun before").WithErrno(EEXIST);
  }
  return ExitSlot(std::move(file), index);
}

base::Status ExitSlot::Write(const SlotRecord& record) const {
  return base::PwriteAll(file_.get(), EncodeSlot(record), SlotOffset(index_));
}

}  // namespace jobd::launch
