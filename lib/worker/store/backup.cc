#include "worker/store/backup.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "worker/store/schema.h"
#include "worker/store/sqlite.h"
#include "worker/store/sqlite_store.h"

namespace jobd::worker {
namespace {

constexpr const char* kPartial = "jobd.db.partial";
constexpr size_t kCopyAtOnce = 1u << 20;
// A restored database does not know the batches that were submitted after it was copied. Cgroups are named by the numbers of
// batches, so those numbers must never be given out again.
constexpr const char* kSkipNumbers = "UPDATE sqlite_sequence SET seq = seq + 1000000 WHERE name = 'batches'";
// Nor may the numbers by which owners know theirs, which are there since version 4.
constexpr const char* kSkipOwnNumbers = "UPDATE numbers SET last = last + 1000";

base::Error Failed(std::string text) { return {base::Code::kFailedPrecondition, std::move(text)}; }

std::string PathIn(int dir, const char* name) { return "/proc/self/fd/" + std::to_string(dir) + "/" + name; }

base::Result<bool> IsEmpty(int dir) {
  struct CloseDir {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };
  JOBD_ASSIGN_OR_RETURN(base::Fd again, base::OpenAt(dir, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, CloseDir> stream(::fdopendir(again.get()));
  if (!stream) return base::SysError("listing the backup's folder", errno);
  (void)again.release();
  int entries = 0;
  errno = 0;
  while (::readdir(stream.get()) != nullptr) ++entries;
  if (errno != 0) return base::SysError("listing the backup's folder", errno);
  return entries <= 2;
}

base::Status SyncFile(int dir, const char* name) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd file, base::OpenAt(dir, name, O_RDONLY | O_NOFOLLOW));
  if (::fsync(file.get()) != 0) return base::SysError(std::string("writing ") + name + " to the disk", errno);
  return base::Ok();
}

// Calls `take` with all of the file's bytes.
template <typename Take>
base::Status ForBytes(int file, Take take) {
  std::vector<std::byte> buffer(kCopyAtOnce);
  for (uint64_t offset = 0;;) {
    JOBD_ASSIGN_OR_RETURN(const size_t size, base::PreadUpTo(file, buffer, offset));
    if (size == 0) return base::Ok();
    JOBD_RETURN_IF_ERROR(take(std::string_view(reinterpret_cast<const char*>(buffer.data()), size)));
    offset += size;
  }
}

base::Result<std::string> Sha256Of(int file) {
  base::Sha256 hash;
  JOBD_RETURN_IF_ERROR(ForBytes(file, [&](std::string_view bytes) {
    hash.Add(bytes);
    return base::Ok();
  }));
  return base::Hex(hash.Take());
}

std::string MarkOf(const std::string& sha256) { return "jobd backup 1 sha256 " + sha256 + "\n"; }

base::Result<uint64_t> CountBatches(Database& database) {
  JOBD_ASSIGN_OR_RETURN(const int64_t count, database.QueryInt("SELECT count(*) FROM batches"));
  return static_cast<uint64_t>(count);
}

base::Result<uint64_t> SizeOf(int dir, const char* name) {
  struct stat about {};
  if (::fstatat(dir, name, &about, AT_SYMLINK_NOFOLLOW) != 0) return base::SysError(std::string("looking at ") + name, errno);
  return static_cast<uint64_t>(about.st_size);
}

bool Exists(int dir, const std::string& name) {
  struct stat about {};
  return ::fstatat(dir, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0;
}

// Checks that the copy in the state directory, kPartial, is a whole database that this program can use. Gives its batches.
base::Result<uint64_t> CheckCopy(int state_dir) {
  JOBD_ASSIGN_OR_RETURN(Database copy, Database::Open(PathIn(state_dir, kPartial), false));
  JOBD_RETURN_IF_ERROR(CheckDatabase(copy));
  JOBD_ASSIGN_OR_RETURN(const uint64_t batches, CountBatches(copy));
  JOBD_RETURN_IF_ERROR(copy.Execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL"));
  JOBD_RETURN_IF_ERROR(copy.Execute(kSkipNumbers));
  JOBD_ASSIGN_OR_RETURN(const int64_t version, copy.QueryInt("PRAGMA user_version"));
  if (version >= 4) JOBD_RETURN_IF_ERROR(copy.Execute(kSkipOwnNumbers));
  return batches;
}

}  // namespace

namespace {

// A session that has ended since must not come back with a backup, and whoever reads that needs no password's hash.
base::Status ForgetLogins(Database& copy) {
  JOBD_ASSIGN_OR_RETURN(const int64_t version, copy.QueryInt("PRAGMA user_version"));
  if (version < 5) return base::Ok();
  return copy.Execute("PRAGMA journal_mode = DELETE; PRAGMA secure_delete = ON; DELETE FROM sessions; DELETE FROM rehashed;");
}

base::Result<BackupFigures> CopyState(int state_dir, int target) {
  if (!Exists(state_dir, kDatabaseName)) return base::Error(base::Code::kNotFound, "there is no database in the state directory");
  BackupFigures figures;
  {
    JOBD_ASSIGN_OR_RETURN(Database database, Database::Open(PathIn(state_dir, kDatabaseName), false));
    JOBD_RETURN_IF_ERROR(CheckDatabase(database));
    // One read transaction, in the middle of whatever a server commits; it does not wait for us (WAL).
    const std::string copy = "VACUUM INTO '" + PathIn(target, kPartial) + "'";
    JOBD_RETURN_IF_ERROR(database.Execute(copy.c_str()));
  }
  {
    JOBD_ASSIGN_OR_RETURN(Database copy, Database::Open(PathIn(target, kPartial), false));
    JOBD_RETURN_IF_ERROR(CheckDatabase(copy));
    JOBD_RETURN_IF_ERROR(ForgetLogins(copy));
    JOBD_ASSIGN_OR_RETURN(figures.batches, CountBatches(copy));
  }
  // SQLite leaves that to us (VACUUM INTO writes with synchronous off).
  JOBD_RETURN_IF_ERROR(SyncFile(target, kPartial));
  if (::renameat(target, kPartial, target, kDatabaseName) != 0) return base::SysError("naming the copy", errno);
  JOBD_ASSIGN_OR_RETURN(figures.bytes, SizeOf(target, kDatabaseName));
  JOBD_ASSIGN_OR_RETURN(const base::Fd file, base::OpenAt(target, kDatabaseName, O_RDONLY | O_NOFOLLOW));
  JOBD_ASSIGN_OR_RETURN(const std::string sha256, Sha256Of(file.get()));
  JOBD_RETURN_IF_ERROR(base::ReplaceFile(target, kBackupMark, MarkOf(sha256), 0640));
  return figures;
}

}  // namespace

base::Result<BackupFigures> BackupState(int state_dir, int target) {
  JOBD_ASSIGN_OR_RETURN(const bool empty, IsEmpty(target));
  if (!empty) return Failed("the backup's folder is not empty");
  auto figures = CopyState(state_dir, target);
  // The folder was empty, and has to be for a second try.
  if (!figures.ok()) {
    for (const char* name : {kPartial, kDatabaseName}) ::unlinkat(target, name, 0);
  }
  return figures;
}

base::Result<BackupFigures> RestoreState(int state_dir, int backup, const std::string& mark, bool replace, std::string& aside) {
  if (!replace && Exists(state_dir, kDatabaseName)) {
    return Failed("there is a database in the state directory: --replace puts it aside");
  }
  JOBD_ASSIGN_OR_RETURN(const std::string sha256, Sha256Of(backup));
  if (mark != MarkOf(sha256))
    return base::Error(base::Code::kDataLoss, "the backup is damaged, or not whole: its checksum is wrong");
  ::unlinkat(state_dir, kPartial, 0);
  BackupFigures figures;
  {
    JOBD_ASSIGN_OR_RETURN(const base::Fd copy, base::OpenAt(state_dir, kPartial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0640));
    JOBD_RETURN_IF_ERROR(ForBytes(backup, [&](std::string_view bytes) {
      figures.bytes += bytes.size();
      return base::WriteAll(copy.get(), bytes);
    }));
  }
  auto checked = CheckCopy(state_dir);
  if (!checked.ok()) {
    ::unlinkat(state_dir, kPartial, 0);
    return std::move(checked).error();
  }
  figures.batches = *checked;
  JOBD_RETURN_IF_ERROR(SyncFile(state_dir, kPartial));
  JOBD_ASSIGN_OR_RETURN(aside, PutDatabaseAside(state_dir, "replaced"));
  if (::renameat(state_dir, kPartial, state_dir, kDatabaseName) != 0) return base::SysError("naming the restored database", errno);
  if (::fsync(state_dir) != 0) return base::SysError("writing the state directory to the disk", errno);
  return figures;
}

base::Result<std::string> PutDatabaseAside(int state_dir, const std::string& why) {
  bool any = false;
  for (const char* const suffix : {"", "-wal", "-shm"}) any = any || Exists(state_dir, std::string(kDatabaseName) + suffix);
  if (!any) return std::string();
  std::string name;
  for (int number = 1; name.empty() || Exists(state_dir, name); ++number) {
    name = std::string(kDatabaseName) + "." + why + "-" + std::to_string(number);
  }
  // The database first, then its log: if this is cut short, a log is left that nobody opens, not a database without its last
  // commits. A log that is left over must go, too: another database will take the name.
  for (const char* const suffix : {"", "-wal", "-shm"}) {
    const std::string from = std::string(kDatabaseName) + suffix;
    if (::renameat(state_dir, from.c_str(), state_dir, (name + suffix).c_str()) != 0 && errno != ENOENT) {
      return base::SysError("putting the old database aside", errno);
    }
  }
  if (::fsync(state_dir) != 0) return base::SysError("writing the state directory to the disk", errno);
  return name;
}

}  // namespace jobd::worker
