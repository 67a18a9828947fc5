#include "worker/store/database_files.h"

#include <fcntl.h>

#include <cerrno>
#include <string>

#include "worker/store/schema.h"

namespace jobd::worker {
namespace {

base::Error Gone(const std::string& name, const char* what) {
  return base::Error(base::Code::kUnavailable,
                     "the database was " + std::string(what) + " while the service runs (" + name +
                         "): put the file back, or restore a backup, and restart jobd; until then nothing new is taken");
}

}  // namespace

DatabaseFiles::DatabaseFiles(int state_dir) : state_dir_(state_dir) { (void)Check(); }

base::Status DatabaseFiles::Check() {
  const std::array<std::string, 2> names{kDatabaseName, std::string(kDatabaseName) + "-wal"};
  const auto known = known_.Lock();
  for (size_t i = 0; i < names.size(); ++i) {
    std::optional<Identity>& before = (*known)[i];
    struct stat about {};
    if (::fstatat(state_dir_, names[i].c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT && before) return Gone(names[i], "deleted");
      continue;
    }
    const Identity now{.device = about.st_dev, .inode = about.st_ino};
    if (!before) before = now;
    if (*before != now) return Gone(names[i], "replaced");
  }
  return base::Ok();
}

}  // namespace jobd::worker
