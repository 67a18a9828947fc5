// The store in SQLite: one writing connection, with which the thread `store` commits whatever is waiting as one transaction, or
// whoever called BeginApply what it brings; and a pool of reading connections for everybody else. A disk that hangs keeps whoever
// commits, for good.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "worker/store/store.h"

namespace jobd::worker {

class Observer;

// Opens, making or migrating it, the database in a directory (borrowed; outlives the store, like the clock). The destructor commits
// what is waiting and joins the thread. `observer`, if any, is told of commits. Errors: see PrepareDatabase; kUnavailable when it
// cannot be opened.
base::Result<std::unique_ptr<Store>> OpenSqliteStore(int state_dir, const base::Clock& clock, Observer* observer = nullptr);

// Its reading side: a connection of its own to the database at `path`, which exists and is prepared.
base::Result<std::unique_ptr<StoreReader>> OpenSqliteReader(const std::string& path);

}  // namespace jobd::worker
