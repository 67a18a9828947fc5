#include "daemon/users_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/files.h"
#include "daemon/trusted_path.h"

namespace jobd::daemon {

namespace {

constexpr size_t kMaxFile = 16u << 20;

struct Place {
  base::Fd dir;
  std::string name;
};

// Where it really is, in a folder that nobody else can write to.
base::Result<Place> Find(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), std::free);
  if (!real) return base::SysError(path, errno);
  JOBD_ASSIGN_OR_RETURN(base::Fd dir, OpenTrustedParent(real.get()));
  return Place{.dir = std::move(dir), .name = LastName(real.get())};
}

struct Contents {
  base::Fd file;
  struct stat about {};
  std::string text;
};

base::Result<Contents> Read(const std::string& path) {
  Contents contents;
  // By the rule that jobd has for it, or what is written here would be refused there.
  JOBD_ASSIGN_OR_RETURN(contents.file, OpenTrustedFile(path));
  if (::fstat(contents.file.get(), &contents.about) != 0) return base::SysError(path, errno);
  auto text = base::ReadAll(contents.file.get(), kMaxFile);
  if (!text.ok()) return std::move(text).error().WithContext(path);
  contents.text = std::move(*text);
  return contents;
}

// Access lists and labels. What the file system does not know is not there to be kept.
base::Status CopyAttributes(int from, int to) {
  std::vector<char> names(64 << 10);
  const ssize_t size = ::flistxattr(from, names.data(), names.size());
  if (size < 0) return errno == ENOTSUP ? base::Ok() : base::Status(base::SysError("reading attributes", errno));
  std::vector<char> value(64 << 10);
  for (const char* name = names.data(); name < names.data() + size; name += std::string_view(name).size() + 1) {
    const ssize_t length = ::fgetxattr(from, name, value.data(), value.size());
    if (length >= 0 && ::fsetxattr(to, name, value.data(), static_cast<size_t>(length), 0) == 0) continue;
    // Labels are often the kernel's to set, and then it has set them.
    if (!std::string_view(name).starts_with("security.")) return base::SysError(std::string("keeping ") + name, errno);
  }
  return base::Ok();
}

bool Same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

base::Status Write(const Place& place, const std::string& path, const Contents& old, const std::string& text, const base::Fd& fresh,
                   const std::string& temporary) {
  struct stat made {};
  if (::fstat(fresh.get(), &made) != 0) return base::SysError(path, errno);
  const bool same_owner = made.st_uid == old.about.st_uid && made.st_gid == old.about.st_gid;
  if (!same_owner && ::fchown(fresh.get(), old.about.st_uid, old.about.st_gid) != 0)
    return base::SysError("keeping its owner", errno);
  if (::fchmod(fresh.get(), old.about.st_mode & 07777) != 0) return base::SysError("keeping its mode", errno);
  JOBD_RETURN_IF_ERROR(CopyAttributes(old.file.get(), fresh.get()));
  JOBD_RETURN_IF_ERROR(base::WriteAll(fresh.get(), text));
  if (::fsync(fresh.get()) != 0) return base::SysError("syncing", errno);
  struct stat now {};
  if (::fstatat(place.dir.get(), place.name.c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0 || !Same(now, old.about)) {
    return base::Error(base::Code::kAborted, "somebody else changed it at the same time: nothing was done, try again");
  }
  if (::renameat(place.dir.get(), temporary.c_str(), place.dir.get(), place.name.c_str()) != 0)
    return base::SysError("renaming", errno);
  if (::fsync(place.dir.get()) != 0) return base::SysError("syncing its folder", errno);
  return base::Ok();
}

}  // namespace

base::Result<std::string> ReadUsersFile(const std::string& path) {
  JOBD_ASSIGN_OR_RETURN(Contents contents, Read(path));
  return std::move(contents.text);
}

base::Status ChangeUsersFile(const std::string& path, const std::function<base::Result<std::string>(const std::string&)>& change) {
  JOBD_ASSIGN_OR_RETURN(const Place place, Find(path));
  const auto failed = [&](base::Error error) { return std::move(error).WithContext(path); };
  auto lock = base::OpenAt(place.dir.get(), "." + place.name + ".lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!lock.ok()) return failed(std::move(lock).error());
  while (::flock(lock->get(), LOCK_EX) != 0) {
    if (errno != EINTR) return failed(base::SysError("locking", errno));
  }
  JOBD_ASSIGN_OR_RETURN(const Contents old, Read(path));
  JOBD_ASSIGN_OR_RETURN(const std::string text, change(old.text));
  if (text == old.text) return base::Ok();
  // What a command that was killed left is nobody's while we hold the lock.
  const std::string temporary = "." + place.name + ".new";
  if (::unlinkat(place.dir.get(), temporary.c_str(), 0) != 0 && errno != ENOENT)
    return failed(base::SysError("removing " + temporary, errno));
  auto fresh = base::OpenAt(place.dir.get(), temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!fresh.ok()) return failed(std::move(fresh).error());
  auto status = Write(place, path, old, text, *fresh, temporary);
  if (status.ok()) return base::Ok();
  (void)::unlinkat(place.dir.get(), temporary.c_str(), 0);
  return failed(std::move(status).error());
}

}  // namespace jobd::daemon
