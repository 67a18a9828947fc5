// The bounds of what a person or a program may write into a batch, a job or a request, each in one place. Command line, settings,
// server and launcher check against these and name them in their messages, so that none accepts what another refuses. All are
// inclusive: a value equal to a kMax is accepted. Settings and users' entries may bound a field further; nothing may go beyond.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace jobd::base {

// Names and texts. Bytes, not characters.
inline constexpr size_t kMaxIdBytes = 128;        // correlation ID, owner, profile, account: what IsSafeName accepts
inline constexpr size_t kMaxNameBytes = 256;      // name of a batch or job
inline constexpr size_t kMaxLabels = 64;          // of one batch
inline constexpr size_t kMaxLabelKeyBytes = 128;  // at least 1
inline constexpr size_t kMaxLabelValueBytes = 1024;
inline constexpr size_t kMaxReasonBytes = 1024;  // why a job was cancelled
inline constexpr size_t kMaxPathBytes = 4095;    // PATH_MAX of the kernel without its NUL

// A command. The kernel's own bounds (execve(2)) are a stack of 8 MiB / 4 for all texts and their pointers: kMaxArgs and kMaxEnv
// pointers beside kMaxExecBytes fit, and what the launcher adds of its own.
inline constexpr size_t kMaxArgBytes = 128 * 1024 - 1;  // an argument, or a variable with its '='; MAX_ARG_STRLEN without its NUL
inline constexpr size_t kMaxArgs = 100'000;
inline constexpr size_t kMaxEnv = 10'000;             // variables
inline constexpr size_t kMaxExecBytes = 1024 * 1024;  // arguments and environment together, each with its NUL
inline constexpr size_t kMaxStdinBytes = 3 * 1024 * 1024;

// A batch.
inline constexpr uint32_t kMaxJobs = 1'000'000;
inline constexpr uint32_t kMaxRetries = 100;
inline constexpr uint64_t kMaxQueued = 100'000'000;  // what a setting or a user's entry may allow
inline constexpr uint32_t kMaxRunning = 100'000;     // likewise

// Durations in nanoseconds, from 0.
inline constexpr Nanos kNanosPerDay = 24 * 3600 * kNanosPerSecond;
inline constexpr Nanos kMaxJobTime = 30 * kNanosPerDay;          // timeout, kill_after and grace that a request may ask for
inline constexpr Nanos kMaxDuration = 100 * 366 * kNanosPerDay;  // any other, so also a default or a user's bound

// Limits of a job. 0 always means 'none'.
inline constexpr uint64_t kMaxAmount =
    INT64_MAX;  // any size or rate in bytes, as SQLite can store it: of defaults and users' bounds
inline constexpr uint64_t kMaxLimitBytes = uint64_t{1} << 50;  // a size or a rate that a job may ask for
inline constexpr uint64_t kMinMemoryBytes = 1024 * 1024;
inline constexpr uint64_t kMinRate = 4096;  // bytes a second
inline constexpr uint32_t kMaxCpuMillis = 4'096'000;
inline constexpr uint32_t kMaxPids = 4'194'304;               // PID_MAX_LIMIT of the kernel
inline constexpr uint64_t kMinOpenFiles = 8;                  // a program needs some to start
inline constexpr uint64_t kMaxOpenFiles = uint64_t{1} << 30;  // more than fs.nr_open of any kernel

// Requests and answers.
inline constexpr int kMaxSignal = 64;  // from 1
inline constexpr uint32_t kMaxPageRows = 1000;
inline constexpr uint32_t kDefaultPageBatches = 100;  // where a request to list batches names no size
inline constexpr size_t kMaxPageTokenBytes = 1024;
inline constexpr size_t kMaxCursorBytes = 256 * 1024;   // of a log
inline constexpr size_t kMaxLogPageBytes = 256 * 1024;  // data in one message of a log
inline constexpr size_t kMaxViolations = 16;            // fields named in one refusal

}  // namespace jobd::base
