// The database's schema: its text, its versions, and what is checked before any of it is used.
#pragma once

#include <cstdint>

#include "base/bounds.h"
#include "base/result.h"
#include "worker/store/sqlite.h"

namespace jobd::worker {

inline constexpr const char* kDatabaseName = "jobd.db";
inline constexpr int64_t kApplicationId = 0x6a6f6264;  // "jobd"
inline constexpr int64_t kSchemaVersion = 5;

// The key of a job in the table `specs`: batches are far fewer than 2^39, and a batch has fewer than 2^24 jobs.
inline constexpr uint32_t kMaxJobIndex = 0xffffff;
static_assert(base::kMaxJobs <= kMaxJobIndex);
constexpr uint64_t SpecKey(uint64_t batch, uint32_t index) { return (batch << 24) | index; }
constexpr uint32_t IndexOfSpecKey(uint64_t key) { return static_cast<uint32_t>(key & kMaxJobIndex); }

// Under the key kLogKey of the table meta the writer notes how the file stands to its log, so that a log that is missing is missed:
// kLogHasMore just before it moves the log's commits to the file, and kLogAhead right after that. So a file that says kLogHasMore
// needs its log; one that says kLogAhead, or nothing, has been made whole since by whoever closed it last.
inline constexpr const char* kLogKey = "log";
inline constexpr const char* kLogHasMore = "has more";
inline constexpr const char* kLogAhead = "ahead";

// Settings of a connection that writes. It moves nothing from the log to the file by itself.
base::Status ConfigureWriter(Database& database);
// Settings of a connection that reads.
base::Status ConfigureReader(Database& database);

// Checks that the file is a whole database of ours, of our version or an earlier one. Changes nothing. Errors as PrepareDatabase.
base::Status CheckDatabase(Database& database);

// Checks that jobd.db in the directory, which `database` has open, is empty or a whole database of ours with all of its commits,
// and brings it to kSchemaVersion. Changes nothing unless every check has passed. kDataLoss: damaged or not ours;
// kFailedPrecondition: written by a newer jobd. Both texts say what an operator can do.
base::Status PrepareDatabase(Database& database, int state_dir);

}  // namespace jobd::worker
