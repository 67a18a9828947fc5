// A word to the service manager that started us (sd_notify(3), systemd's or another's).
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace jobd::base {

// Sends `state` ("READY=1") to the socket that NOTIFY_SOCKET names; nothing when there is none. Errors are ignored, as the
// manager's own library does: the service is no worse for it.
void NotifyServiceManager(const std::string& state);

// How often a watchdog of the manager's has to be told that we live: a third of the time it waits (sd_watchdog_enabled(3)). Nothing
// when it has none for this process.
std::optional<std::chrono::milliseconds> WatchdogInterval();

}  // namespace jobd::base
