#include "daemon/job_uids.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "base/uuid7.h"
#include "daemon/service_folder.h"

namespace jobd::daemon {

namespace {

constexpr std::string_view kClaimBegin = "jobd uids 1\n";
constexpr size_t kMaxClaim = 16u << 10;

std::string TextOf(const UidClaim& claim) {
  return std::string(kClaimBegin) + std::to_string(claim.first) + " " + std::to_string(claim.count) + "\n" + claim.tag + "\n" +
         claim.state_dir;
}

std::optional<UidClaim> ParseClaim(std::string_view text) {
  if (!text.starts_with(kClaimBegin)) return std::nullopt;
  text.remove_prefix(kClaimBegin.size());
  UidClaim claim;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, claim.first);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return std::nullopt;
  const auto count = std::from_chars(first.ptr + 1, end, claim.count);
  if (count.ec != std::errc() || count.ptr == end || *count.ptr != '\n') return std::nullopt;
  text.remove_prefix(static_cast<size_t>(count.ptr + 1 - text.data()));
  const size_t line = text.find('\n');
  if (line == std::string_view::npos) return std::nullopt;
  claim.tag = text.substr(0, line);
  claim.state_dir = text.substr(line + 1);
  return claim;
}

base::Result<base::Fd> OpenClaims(const std::string& folder) {
  JOBD_ASSIGN_OR_RETURN(base::Fd dir, base::OpenAt(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  struct stat info {};
  if (::fstat(dir.get(), &info) != 0) return base::SysError("looking at " + folder, errno);
  if (info.st_uid == ::geteuid() && (info.st_mode & (S_IRWXG | S_IRWXO)) == 0) return dir;
  return base::Error(base::Code::kPermissionDenied, folder + " is not root's alone: remove it, and jobd makes it again");
}

// Of a process that lives. Asked for, and not taken: nobody is to find taken what is free.
bool IsHeld(int file) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(file, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

bool Overlap(const UidClaim& one, const UidClaim& other) {
  return uint64_t{one.first} < uint64_t{other.first} + other.count && uint64_t{other.first} < uint64_t{one.first} + one.count;
}

}  // namespace

base::Result<PublishedClaim> PublishedClaim::Make(const std::string& folder, const UidClaim& claim) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return base::SysError("making " + folder, errno);
  JOBD_ASSIGN_OR_RETURN(base::Fd dir, OpenClaims(folder));
  const std::string name = base::MakeUuid7(base::SystemClock().Realtime());
  // Locked and written before it has its name: what has one and is not locked is of somebody dead.
  const std::string unnamed = "." + name;
  JOBD_ASSIGN_OR_RETURN(base::Fd file, base::OpenAt(dir.get(), unnamed, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  base::Status made = ::fcntl(file.get(), F_OFD_SETLK, &lock) == 0
                          ? base::WriteAll(file.get(), TextOf(claim))
                          : base::Status(base::SysError("locking a file in " + folder, errno));
  if (made.ok() && ::renameat(dir.get(), unnamed.c_str(), dir.get(), name.c_str()) != 0)
    made = base::SysError("naming a file in " + folder, errno);
  if (!made.ok()) {
    (void)::unlinkat(dir.get(), unnamed.c_str(), 0);
    return std::move(made).error();
  }
  return PublishedClaim(std::move(dir), std::move(file), name);
}

PublishedClaim::~PublishedClaim() {
  if (folder_) (void)::unlinkat(folder_.get(), name_.c_str(), 0);
}

base::Result<std::string> OverlappingClaims(const std::string& folder, const UidClaim& claim) {
  auto dir = OpenClaims(folder);
  if (!dir.ok() && dir.error().code() == base::Code::kNotFound) return std::string();
  if (!dir.ok()) return std::move(dir).error();
  JOBD_ASSIGN_OR_RETURN(base::Fd again, base::OpenAt(dir->get(), ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(again.get()), &::closedir);
  if (!stream) return base::SysError("listing " + folder, errno);
  (void)again.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  std::string whose;
  size_t more = 0;
  for (const std::string& name : names) {
    const auto file = base::OpenAt(dir->get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file.ok()) continue;  // gone meanwhile
    if (!IsHeld(file->get())) {
      (void)::unlinkat(dir->get(), name.c_str(), 0);
      continue;
    }
    const auto text = base::ReadAll(file->get(), kMaxClaim);
    const auto other = text.ok() ? ParseClaim(*text) : std::nullopt;
    if (!other || !Overlap(claim, *other) || (!claim.tag.empty() && other->tag == claim.tag)) continue;
    if (whose.empty()) {
      whose = base::EscapeForTerminal(other->state_dir);
    } else {
      ++more;
    }
  }
  if (whose.empty()) return whose;
  return "another jobd of this machine, whose state is in " + whose + (more > 0 ? ", and " + std::to_string(more) + " more" : "") +
         ", gives out some of the uids " + std::to_string(claim.first) + " to " +
         std::to_string(uint64_t{claim.first} + claim.count - 1) +
         " as well: an owner there and one here may have the same, and what one's jobs own is the other's too. Give each jobd a "
         "range "
         "of its own (policy.job_uid_first, policy.job_uid_count)";
}

UidClaim ClaimOf(const config::Config& config) {
  UidClaim claim{.first = static_cast<uid_t>(config.job_uid_first),
                 .count = static_cast<uint32_t>(config.job_uid_count),
                 .tag = {},
                 .state_dir = ClaimsOf(config)[0].path};
  const auto state = base::OpenAt(AT_FDCWD, config.state_dir, O_PATH | O_DIRECTORY);
  if (!state.ok()) return claim;
  auto tag = StateTag(state->get());
  if (tag.ok()) claim.tag = *std::move(tag);
  return claim;
}

base::Result<launch::OwnerUids> OpenJobUids(const config::Config& config, const ServerAccount& account, int state_dir,
                                            int log_dir) {
  JOBD_ASSIGN_OR_RETURN(auto uids, launch::OwnerUids::Open(state_dir, config.job_uid_first, config.job_uid_count, log_dir));
  if (uids.found()) return uids;
  JOBD_ASSIGN_OR_RETURN(const std::string owner, FolderOfAnOwner(log_dir, ClaimsOf(config)[1], account));
  if (owner.empty()) return uids;
  const std::string file = config.state_dir + "/" + launch::kUidsFile;
  return base::Error(base::Code::kFailedPrecondition,
                     file + " is missing, and so is its copy in the log directory, while there are logs of owners (of " +
                         base::EscapeForTerminal(owner) +
                         ", for one): the file says whose files are whose, and without it one owner's jobs could get the uid of "
                         "another's. Take it from a backup (jobd --restore). If there is none, give jobs uids that none of them "
                         "has ever had (policy.job_uid_first), and begin a new one as root: printf 'jobd uids 1\\nend 0\\n' > " +
                         file + "; chmod 600 " + file);
}

}  // namespace jobd::daemon
