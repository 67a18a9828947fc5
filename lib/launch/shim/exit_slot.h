// The shim's own slot in the exit file: locked from birth to death, written at each phase.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"
#include "launch/contract/exit_file.h"

namespace jobd::launch {

// Not thread-safe. The lock ends with the process, or with the first close of any descriptor of the file in it (fcntl(2)).
class ExitSlot {
 public:
  // Opens the exit file in the batch's folder `dir` (borrowed), locks the slot and sees that this attempt has not begun before:
  // kAlreadyExists when it has, or when a shim lives for the slot. This is what makes a start happen at most once per attempt, even
  // when the same request arrives twice.
  static base::Result<ExitSlot> Claim(int dir, uint32_t index, uint32_t attempt);

  base::Status Write(const SlotRecord& record) const;
  int fd() const { return file_.get(); }

 private:
  ExitSlot(base::Fd file, uint32_t index) : file_(std::move(file)), index_(index) {}

  base::Fd file_;
  uint32_t index_;
};

}  // namespace jobd::launch
