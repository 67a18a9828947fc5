#include "worker/store/batch_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>

#include "base/files.h"

namespace jobd::worker {
namespace {

constexpr mode_t kFolderMode = 0700;
// jobd itself puts no folder into a batch's folder.
constexpr int kMaxDepth = 32;

base::Result<base::Fd> MakeAndOpen(int dir, const std::string& name) {
  if (::mkdirat(dir, name.c_str(), kFolderMode) != 0 && errno != EEXIST) return base::SysError("making the batch's folder", errno);
  return base::OpenBeneath(dir, name, O_RDONLY | O_DIRECTORY);
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// Calls `visit` with the open folder and the name of each entry.
template <typename Visit>
base::Status ForEachEntry(base::Fd folder, Visit visit) {
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(folder.get()));
  if (!dir) return base::SysError("listing the batch's folder", errno);
  (void)folder.release();  // now the stream's
  for (errno = 0; const dirent* entry = ::readdir(dir.get()); errno = 0) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    JOBD_RETURN_IF_ERROR(visit(::dirfd(dir.get()), entry->d_name));
  }
  if (errno != 0) return base::SysError("listing the batch's folder", errno);
  return base::Ok();
}

base::Status RemoveEntry(int dir, const char* name, int depth) {
  if (::unlinkat(dir, name, 0) == 0 || errno == ENOENT) return base::Ok();
  // unlink(2): Linux says EISDIR of a folder, POSIX says EPERM.
  if ((errno != EISDIR && errno != EPERM) || depth == kMaxDepth) return base::SysError("deleting a file of the batch", errno);
  JOBD_ASSIGN_OR_RETURN(base::Fd folder, base::OpenBeneath(dir, name, O_RDONLY | O_DIRECTORY));
  JOBD_RETURN_IF_ERROR(
      ForEachEntry(std::move(folder), [depth](int inner, const char* entry) { return RemoveEntry(inner, entry, depth + 1); }));
  if (::unlinkat(dir, name, AT_REMOVEDIR) != 0 && errno != ENOENT) return base::SysError("deleting a folder of the batch", errno);
  return base::Ok();
}

}  // namespace

base::Result<base::Fd> OpenBatchFolder(int log_dir, const BatchName& batch) {
  return base::OpenBeneath(log_dir, batch.owner + "/" + batch.correlation_id, O_RDONLY | O_DIRECTORY);
}

base::Result<base::Fd> MakeBatchFolder(int log_dir, const BatchName& batch) {
  // The common case first: one call when it is there.
  if (auto folder = OpenBatchFolder(log_dir, batch); folder.ok()) return folder;
  JOBD_ASSIGN_OR_RETURN(const base::Fd owner, MakeAndOpen(log_dir, batch.owner));
  return MakeAndOpen(owner.get(), batch.correlation_id);
}

base::Status RemoveBatchFolder(int log_dir, const BatchName& batch) {
  auto folder = OpenBatchFolder(log_dir, batch);
  if (!folder.ok()) {
    if (folder.error().code() == base::Code::kNotFound) return base::Ok();
    return std::move(folder).error();
  }
  JOBD_RETURN_IF_ERROR(ForEachEntry(std::move(*folder), [](int dir, const char* name) { return RemoveEntry(dir, name, 0); }));
  auto owner = base::OpenBeneath(log_dir, batch.owner, O_RDONLY | O_DIRECTORY);
  if (!owner.ok()) return std::move(owner).error();
  if (::unlinkat(owner->get(), batch.correlation_id.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return base::SysError("deleting the batch's folder", errno);
  }
  return base::Ok();
}

uint64_t BatchFolderBytes(int log_dir, const BatchName& batch) {
  auto folder = OpenBatchFolder(log_dir, batch);
  if (!folder.ok()) return 0;
  uint64_t bytes = 0;
  // A file that cannot be measured counts nothing: the figure is for people.
  (void)ForEachEntry(std::move(*folder), [&](int dir, const char* name) -> base::Status {
    struct stat about {};
    if (::fstatat(dir, name, &about, AT_SYMLINK_NOFOLLOW) == 0) bytes += static_cast<uint64_t>(about.st_blocks) * 512;
    return base::Ok();
  });
  return bytes;
}

}  // namespace jobd::worker
