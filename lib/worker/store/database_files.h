// Whether the database is still the files that were opened. One that was deleted or replaced under us takes commits as before, and
// all of them are lost at the restart.
#pragma once

#include <sys/stat.h>

#include <array>
#include <optional>

#include "base/guarded.h"
#include "base/result.h"

namespace jobd::worker {

// Thread-safe.
class DatabaseFiles {
 public:
  // The database has been opened by its name in the directory, which is borrowed.
  explicit DatabaseFiles(int state_dir);

  // kUnavailable, naming the file and what to do: a file has gone from its directory, or another one has its name. The log is
  // known from the first look on that finds it: SQLite makes it with the first commit. What cannot be looked at counts as there.
  base::Status Check();

 private:
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const Identity&) const = default;
  };
  const int state_dir_;
  base::Guarded<std::array<std::optional<Identity>, 2>> known_;
};

}  // namespace jobd::worker
