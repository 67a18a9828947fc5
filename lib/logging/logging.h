// Logging of the programs, through spdlog. Libraries do not log.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace spdlog {
class logger;
}

namespace jobd::logging {

struct Options {
  std::string level = "info";   // trace debug info warn error
  std::string format = "text";  // "text": 2026-01-31T12:00:00.123Z jobd info message; "json": an object a line
  std::string file;             // empty: standard error
  std::string program;          // "jobd", "jobd-server"
};

// A thread-safe logger that writes each line at once. Messages are made harmless by the caller where they hold foreign bytes; in
// JSON they are quoted. What a line is about goes into fields: fields.h.
base::Result<std::shared_ptr<spdlog::logger>> Create(const Options& options);

// Goes on in a new file of the same name, when the old one was renamed or deleted (by logrotate, for one). Without a file nothing
// is done. On an error the old file stays in use. Thread-safe; `logger` is from Create.
base::Status Reopen(spdlog::logger& logger);

// From now on a process of its own writes the log's file, so that no caller ever waits for its disk. What that process has not
// written yet when the disk hangs is bounded (about a megabyte); lines beyond that are dropped, and counted in the next one that is
// taken. Nothing is done without a file. For processes with one thread, before anything else uses the logger. At the logger's end
// the lines that are left are waited for, a second at most.
base::Status WriteElsewhere(spdlog::logger& logger);

// For a reload. Unknown levels leave the old one.
void SetLevel(spdlog::logger& logger, const std::string& level);

}  // namespace jobd::logging
