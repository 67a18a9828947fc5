// The reading side of the SQLite store.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "worker/store/store.h"

namespace jobd::worker {

// A connection of its own to the database at `path`, which exists and is prepared.
base::Result<std::unique_ptr<StoreReader>> OpenSqliteReader(const std::string& path);

}  // namespace jobd::worker
