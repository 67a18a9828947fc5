// Opens log sessions.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "base/token_signer.h"
#include "worker/logs/log_session.h"
#include "worker/store/store.h"
#include "worker/watch/change_bus.h"
#include "worker/watch/file_watcher.h"

namespace jobd::worker {

// What sessions read from. All are borrowed and outlive them.
struct LogSources {
  Store& store;
  ChangeBus& changes;
  FileWatcher& watcher;
  const base::TokenSigner& signer;
  const base::Clock& clock;
  int log_dir = -1;
};

base::Result<std::unique_ptr<LogSession>> OpenLogSession(const LogSources& sources, const LogQuery& query);

}  // namespace jobd::worker
