// The database's schema: its text, its versions, and what is checked before any of it is used.
#pragma once

#include <cstdint>

#include "base/bounds.h"
#include "base/result.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {

inline constexpr int64_t kApplicationId = 0x6a6f6264;  // "jobd"
inline constexpr int64_t kSchemaVersion = 4;

// The key of a job in the table `specs`: batches are far fewer than 2^39, and a batch has fewer than 2^24 jobs.
inline constexpr uint32_t kMaxJobIndex = 0xffffff;
static_assert(base::kMaxJobs <= kMaxJobIndex);
constexpr uint64_t SpecKey(uint64_t batch, uint32_t index) { return (batch << 24) | index; }
constexpr uint32_t IndexOfSpecKey(uint64_t key) { return static_cast<uint32_t>(key & kMaxJobIndex); }

// Settings of a connection that writes.
base::Status ConfigureWriter(Database& database);
// Settings of a connection that reads.
base::Status ConfigureReader(Database& database);

// Checks that the file is a whole database of ours, of our version or an earlier one. Changes nothing. Errors as PrepareDatabase.
base::Status CheckDatabase(Database& database);

// Checks that the file is empty or a whole database of ours, and brings it to kSchemaVersion. Changes nothing unless every check
// has passed. kDataLoss: damaged or not ours; kFailedPrecondition: written by a newer jobd. Both texts say what an operator can do.
base::Status PrepareDatabase(Database& database);

}  // namespace jobd::worker
