// Opens log sessions.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "worker/catalogue/seal.h"
#include "worker/logs/log_session.h"
#include "worker/store/store.h"
#include "worker/watch/changes.h"
#include "worker/watch/tail.h"

namespace jobd::worker {

// What sessions read from. All are borrowed and outlive them.
struct LogSources {
  Store& store;
  Changes& changes;
  Tail& tail;
  const Seal& seal;
  const base::Clock& clock;
  int log_dir = -1;
};

base::Result<std::unique_ptr<LogSession>> OpenLogSession(const LogSources& sources, const LogQuery& query);

}  // namespace jobd::worker
