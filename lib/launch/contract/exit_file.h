// The exit file of a batch: `exits` in the batch's folder, one slot of kSlotSize bytes for each job, written by its shim alone.
// The layout, and who may write what when, is specified in FORMAT.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "base/result.h"
#include "launch/contract/launch_request.h"
#include "launch/contract/step.h"

namespace jobd::launch {

inline constexpr const char* kExitFileName = "exits";
inline constexpr size_t kSlotSize = 256;
inline constexpr uint16_t kSlotVersion = 1;

// How far an attempt is.
enum class Phase : uint16_t {
  kNone = 0,     // no attempt has begun
  kBorn = 1,     // the shim lives; the program may or may not have been executed
  kRunning = 2,  // exec happened
  kEnded = 3,    // final
};

// Why the shim ended the job, or saw it ended; kSelf when nobody did.
enum class EndCause : uint16_t {
  kSelf = 0,
  kSetupFailed = 1,  // the program never ran: step and step_errno
  kTimeout = 2,
  kCancel = 3,  // asked for by the server
  kMemoryLimit = 4,
  kShimError = 5,  // the shim could not go on; the job was killed
};

// Bits of SlotRecord::flags.
inline constexpr uint32_t kFlagPidsLimitHit = 1u << 0;    // a fork was refused by the pids limit
inline constexpr uint32_t kFlagOutputCut = 1u << 1;       // the output limit was reached
inline constexpr uint32_t kFlagLogDiskError = 1u << 2;    // output was dropped because the log disk refused it
inline constexpr uint32_t kFlagMemoryLimitHit = 1u << 3;  // with kSetupFailed: the job's group was at its memory limit

inline constexpr base::Nanos kNoDeadline = -1;

// One slot, decoded.
struct SlotRecord {
  Phase phase = Phase::kNone;
  uint32_t attempt = 0;
  uint32_t shim_pid = 0;
  uint32_t job_pid = 0;
  uint64_t boot = 0;           // BootTag() of the boot it ran under
  base::Nanos started_at = 0;  // wall clock, at exec
  base::Nanos ended_at = 0;
  base::Nanos wall = 0;  // monotonic, exec to end
  EndCause cause = EndCause::kSelf;
  base::ExitStatus exit;  // meaningful when kEnded and the cause is not kSetupFailed
  Step step = Step::kNone;
  int32_t step_errno = 0;
  uint32_t flags = 0;
  uint64_t user_cpu_us = 0;
  uint64_t system_cpu_us = 0;
  uint64_t peak_memory = 0;
  uint64_t read_bytes = 0;
  uint64_t written_bytes = 0;
  uint64_t voluntary_switches = 0;
  uint64_t involuntary_switches = 0;
  uint64_t stdout_bytes = 0;  // kept in the .out file
  uint64_t stderr_bytes = 0;
  uint64_t dropped_bytes = 0;  // of both
  // When the shim tells the job to end (CLOCK_MONOTONIC), and what it waits then before it kills. 0: not said; kNoDeadline: never.
  base::Nanos deadline = 0;
  base::Nanos kill_after = 0;
};

using SlotBytes = std::array<std::byte, kSlotSize>;

// Total: never fails.
SlotBytes EncodeSlot(const SlotRecord& record);
// All zero bytes are phase kNone. kDataLoss when the bytes are neither that nor a record with a right checksum; kFailedPrecondition
// when the version is newer than ours.
base::Result<SlotRecord> DecodeSlot(std::span<const std::byte> bytes);

// The offset of a job's slot; index from 1.
constexpr uint64_t SlotOffset(uint32_t index) { return static_cast<uint64_t>(index - 1) * kSlotSize; }

// Reads one slot of the open exit file. A file that ends before the slot reads as kNone.
base::Result<SlotRecord> ReadSlot(int exit_file, uint32_t index);

// The pid of the shim that holds the lock of this slot (fcntl F_GETLK), or nothing: no shim lives for it. The shim holds a POSIX
// write lock on its slot's bytes from birth to death.
base::Result<std::optional<int>> SlotHolder(int exit_file, uint32_t index);

// Identifies this boot of the machine: a hash of /proc/sys/kernel/random/boot_id. 0 when it cannot be read.
uint64_t BootTag();

// Opens the exit file in a batch's folder (`dir`, borrowed). Makes it if need be, with room for job_count slots allocated on disk.
// Errors: kResourceExhausted when the disk is full.
base::Result<base::Fd> OpenExitFile(int dir, uint32_t job_count);

}  // namespace jobd::launch
