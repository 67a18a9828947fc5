#include "launch/launcher/owner_uids.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <optional>
#include <span>
#include <vector>

#include "base/fd.h"
#include "base/files.h"
#include "base/text.h"
#include "launch/process/clone.h"

namespace jobd::launch {

namespace {

constexpr std::string_view kFirstLine = "jobd uids 1";
constexpr uint32_t kLargestBlock = 64;
constexpr const char* kNewFile = ".job-uids.new";  // beside either
constexpr size_t kMaxFile = 64u << 20;

constexpr const char* kWriting = "writing job-uids";

base::Error SomebodyElse() {
  return {base::Code::kPermissionDenied, std::string(kWriting) + ": somebody else puts files in its place"};
}

base::Error NoAnswer() {
  return base::SysError(std::string(kWriting) + ": the disk of the state directory, or of the log directory, does not answer",
                        EAGAIN);
}

base::Error Damaged() {
  return {base::Code::kDataLoss,
          std::string(kUidsFile) +
              " in the state directory is damaged: it says whose files are whose, so no job can start without "
              "it; take it from a backup (jobd --restore)"};
}

base::Error UsedUp(const std::string& owner, uint32_t count) {
  return {base::Code::kFailedPrecondition, "no uid is left for the jobs of " + owner + ": all " + std::to_string(count) +
                                               " of policy.job_uid_count are other owners' for ever; make it larger"};
}

// `other`: -1 for none.
void CloseAllBut(int one, int other) {
  unsigned from = 0;
  for (const int kept : {std::min(one, other), std::max(one, other)}) {
    if (kept < 0) continue;
    if (static_cast<unsigned>(kept) > from) ::syscall(SYS_close_range, from, static_cast<unsigned>(kept) - 1, 0);
    from = static_cast<unsigned>(kept) + 1;
  }
  ::syscall(SYS_close_range, from, ~0u, 0);
}

// FNV-1a.
uint64_t PlaceOf(std::string_view name) {
  uint64_t hash = 14695981039346656037ull;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

std::string_view NextWord(std::string_view& line) {
  const size_t end = line.find(' ');
  const std::string_view word = line.substr(0, end);
  line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
  return word;
}

std::optional<uint32_t> NumberOf(std::string_view word) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// Not by base::ReplaceFile: jobd-server owns the directory, and could have us write through a name that it has put there.
base::Status SaveTo(int dir, const char* name, const std::string& text) {
  const std::string what = kWriting;
  if (::unlinkat(dir, kNewFile, 0) != 0 && errno != ENOENT) return base::SysError(what, errno);
  JOBD_ASSIGN_OR_RETURN(const base::Fd file, base::OpenAt(dir, kNewFile, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  JOBD_RETURN_IF_ERROR(base::WriteAll(file.get(), text));
  if (::fsync(file.get()) != 0) return base::SysError(what, errno);
  if (::renameat(dir, kNewFile, dir, name) != 0) return base::SysError(what, errno);
  struct stat ours {};
  struct stat there {};
  if (::fstat(file.get(), &ours) != 0 || ::fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) != 0 || ours.st_ino != there.st_ino ||
      ours.st_dev != there.st_dev) {
    return SomebodyElse();
  }
  if (::fsync(dir) != 0 && errno != EINVAL) return base::SysError(what, errno);
  return base::Ok();
}

}  // namespace

OwnerUids::OwnerUids(int dir, int copy_dir, uid_t first, uint32_t count)
    : dir_(dir),
      copy_dir_(copy_dir),
      first_(first),
      count_(count),
      block_(std::clamp<uint32_t>(count / 128, 1, kLargestBlock)),
      blocks_(count / 2 / block_) {}

base::Result<OwnerUids> OwnerUids::Open(int dir, uid_t first, uint32_t count, int copy_dir, Damage damage) {
  OwnerUids uids(dir, copy_dir, first, count);
  if (dir < 0) return uids;
  auto map = Read(dir, kUidsFile, "the state directory", damage);
  auto copy = copy_dir < 0 ? std::optional<Grants>() : Read(copy_dir, kUidsCopy, "the log directory", damage);
  for (const auto* one : {&map, &copy}) {
    // A damaged one is as good as none where the other is whole: each has had every grant before it was given.
    const auto& other = one == &map ? copy : map;
    const bool replaced = !one->ok() && one->error().code() == base::Code::kDataLoss && other.ok() && *other;
    if (!one->ok() && !replaced) return one->error();
  }
  const bool has_map = map.ok() && *map;
  const bool has_copy = copy.ok() && *copy;
  uids.found_ = has_map || has_copy;
  if (!uids.found_) {
    uids.incomplete_ = true;
    return uids;
  }
  Grants all;
  if (has_map && has_copy) {
    JOBD_ASSIGN_OR_RETURN(all, Joined(**map, **copy));
  } else {
    all = has_map ? **map : **copy;
  }
  const bool map_lacks = !has_map || (*map)->size() != all.size();
  uids.incomplete_ = map_lacks || (copy_dir >= 0 && (!has_copy || (*copy)->size() != all.size()));
  if (map_lacks) {
    uids.note_ = std::string(kUidsFile) + " in the state directory was " +
                 (!map.ok()  ? "damaged"
                  : !has_map ? "missing"
                             : "older than its copy") +
                 ": it is taken from the copy in the log directory, " + std::to_string(all.size()) + " entries";
  }
  for (const auto& [uid, grant] : all) uids.Enter(uid, grant);
  return uids;
}

base::Result<std::optional<OwnerUids::Grants>> OwnerUids::Read(int dir, const char* name, const char* place, Damage damage) {
  const auto file = base::OpenAt(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file.ok() && file.error().code() == base::Code::kNotFound) return std::optional<Grants>();
  if (!file.ok()) return base::Error(file.error()).WithContext(std::string("in ") + place);
  struct stat info {};
  if (::fstat(file->get(), &info) != 0) return base::SysError(std::string("looking at ") + name, errno);
  if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || info.st_nlink != 1 || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return base::Error(base::Code::kPermissionDenied,
                       std::string(name) + " in " + place +
                           " is not the launcher's own: somebody has put it there. It must "
                           "be a file of root's that nobody else can write; take it from a backup (jobd --restore)");
  }
  JOBD_ASSIGN_OR_RETURN(const std::string text, base::ReadAll(file->get(), kMaxFile));
  JOBD_ASSIGN_OR_RETURN(Grants grants, Parse(text, damage));
  return std::optional(std::move(grants));
}

base::Result<OwnerUids::Grants> OwnerUids::Joined(const Grants& map, const Grants& copy) {
  Grants all = map;
  for (const auto& [uid, grant] : copy) {
    if (const auto same = map.find(uid); same != map.end() && same->second == grant) continue;
    // Which of the two owners it was that got it first, nobody can say.
    if (!IsFree(all, uid, grant.count)) {
      return base::Error(base::Code::kDataLoss,
                         std::string(kUidsFile) + " in the state directory and " + kUidsCopy +
                             " in the log directory say of one uid that it is two owners': one of them is of another jobd. Remove "
                             "that one, or take it from a backup (jobd --restore)");
    }
    all.emplace(uid, grant);
  }
  return all;
}

base::Result<OwnerUids::Grants> OwnerUids::Parse(std::string_view text, Damage damage) {
  const bool salvage = damage == Damage::kSalvage;
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos && !salvage) return Damaged();
    if (end == std::string_view::npos) break;  // cut off
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  const bool whole = lines.size() >= 2 && lines.front() == kFirstLine && lines.back() == "end " + std::to_string(lines.size() - 2);
  if (!whole && !salvage) return Damaged();
  Grants grants;
  for (std::string_view line : whole ? std::span(lines).subspan(1, lines.size() - 2) : std::span(lines)) {
    const std::string_view kind = NextWord(line);
    const std::string_view owner = NextWord(line);
    const auto first = NumberOf(NextWord(line));
    const auto count = NumberOf(line);
    const bool good = (kind == "owner" || kind == "jobs") && base::IsSafeName(owner) && first && count && *first != 0 &&
                      *count != 0 && *count <= ~uint32_t{0} - *first && (kind == "jobs" || *count == 1);
    const bool fits = good && IsFree(grants, *first, *count);
    if (!fits && !salvage) return Damaged();
    if (!fits) continue;
    grants.emplace(*first, Grant{.owner = std::string(owner), .jobs = kind == "jobs", .count = *count});
  }
  return grants;
}

base::Status OwnerUids::Merge(std::string_view text) {
  JOBD_ASSIGN_OR_RETURN(const Grants more, Parse(text));
  for (const auto& [first, grant] : more) {
    if (IsFree(grants_, first, grant.count)) Enter(first, grant);
  }
  return base::Ok();
}

void OwnerUids::Enter(uid_t first, const Grant& grant) {
  grants_.emplace(first, grant);
  if (!InRange(first, grant.count)) return;
  if (grant.jobs) {
    blocks_of_[grant.owner].push_back(first);
  } else {
    of_owner_.emplace(grant.owner, first);  // a second one stays out of use
  }
}

bool OwnerUids::InRange(uid_t first, uint32_t count) const { return first >= first_ && first - first_ + uint64_t{count} <= count_; }

bool OwnerUids::IsFree(const Grants& grants, uid_t first, uint32_t count) {
  auto next = grants.lower_bound(first);
  if (next != grants.end() && next->first - first < count) return false;
  if (next == grants.begin()) return true;
  --next;
  return first - next->first >= next->second.count;
}

base::Result<uid_t> OwnerUids::OfOwner(const std::string& owner) {
  if (saver_ != 0) (void)AwaitSave(0);
  if (const auto known = of_owner_.find(owner); known != of_owner_.end()) return known->second;
  const uint32_t places = count_ - blocks_ * block_;
  for (uint32_t tried = 0; tried < places; ++tried) {
    const uid_t uid = first_ + static_cast<uint32_t>((PlaceOf(owner) + tried) % places);
    // One that is taken is that of a job which another version of us started.
    if (!IsFree(grants_, uid, 1) || taken_.contains(uid)) continue;
    JOBD_RETURN_IF_ERROR(Add(uid, {.owner = owner}));
    return uid;
  }
  return UsedUp(owner, count_);
}

base::Result<uid_t> OwnerUids::TakeForJob(const std::string& owner) {
  if (saver_ != 0) (void)AwaitSave(0);
  const auto own = blocks_of_.find(owner);
  const bool has_some = own != blocks_of_.end();
  for (size_t block = 0; has_some && block < own->second.size(); ++block) {
    const uid_t first = own->second[block];
    for (uint32_t i = 0; i < grants_.at(first).count; ++i) {
      if (taken_.insert(first + i).second) return first + i;
    }
  }
  const uid_t begin = first_ + (count_ - blocks_ * block_);
  for (uint32_t tried = 0; tried < blocks_; ++tried) {
    const uid_t uid = begin + static_cast<uint32_t>((PlaceOf(owner) + tried) % blocks_) * block_;
    const auto found = taken_.lower_bound(uid);
    if (!IsFree(grants_, uid, block_) || (found != taken_.end() && *found - uid < block_)) continue;
    JOBD_RETURN_IF_ERROR(Add(uid, {.owner = owner, .jobs = true, .count = block_}));
    taken_.insert(uid);
    return uid;
  }
  if (has_some) return base::SysError("taking a uid for a job of " + owner, EAGAIN);
  return UsedUp(owner, count_);
}

base::Status OwnerUids::Add(uid_t first, Grant grant) {
  if (saver_ != 0) return NoAnswer();  // nor had it when we were asked
  if (dir_ < 0) {
    Enter(first, grant);
    return base::Ok();
  }
  pending_.emplace(first, std::move(grant));
  if (auto begun = BeginSave(); !begun.ok()) {
    pending_.reset();
    return begun;
  }
  return AwaitSave(kPatience);
}

// A process rather than a thread: shims are forked without regard to other threads. It keeps nothing of ours but the directory.
base::Status OwnerUids::BeginSave() {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t parent = ::getpid();
  auto cloned = CloneProcess();
  if (cloned.ok() && cloned->pid == 0) {
    // Were it still to write when we are dead, and another jobd has written since, what that has granted would be lost.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(ECHILD);
    CloseAllBut(dir_, copy_dir_);
    if (pending_) grants_.insert(*std::exchange(pending_, std::nullopt));
    const auto saved = Save();
    if (saved.ok()) ::_exit(0);
    const int error = saved.error().sys_errno();
    ::_exit(error > 0 && error < 256 ? error : EPERM);  // without errno it is refused for what it found there
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (!cloned.ok()) return std::move(cloned).error().WithContext(kWriting);
  saver_ = cloned->pid;
  saver_end_ = std::move(cloned->pidfd);
  return base::Ok();
}

base::Status OwnerUids::AwaitSave(int milliseconds) {
  pollfd end{saver_end_.get(), POLLIN, 0};
  if (::poll(&end, 1, milliseconds) != 1) return NoAnswer();
  int status = 0;
  const bool reaped = ::waitpid(std::exchange(saver_, 0), &status, 0) > 0;
  saver_end_.reset();
  const auto granted = std::exchange(pending_, std::nullopt);
  if (!reaped || !WIFEXITED(status)) return base::SysError(kWriting, EAGAIN);  // somebody killed it; perhaps the kernel, for memory
  if (WEXITSTATUS(status) == EPERM) return SomebodyElse();
  if (WEXITSTATUS(status) != 0) return base::SysError(kWriting, WEXITSTATUS(status));
  incomplete_ = false;
  if (granted) Enter(granted->first, granted->second);
  return base::Ok();
}

base::Status OwnerUids::Complete() {
  if (dir_ < 0 || !incomplete_ || saver_ != 0) return base::Ok();
  auto saved = BeginSave();
  if (saved.ok()) saved = AwaitSave(kPatience);
  return saved.ok() || saved.error().code() != base::Code::kPermissionDenied ? base::Ok() : saved;
}

std::string OwnerUids::Text() const {
  std::string text(kFirstLine);
  text += '\n';
  for (const auto& [first, grant] : grants_) {
    text +=
        (grant.jobs ? "jobs " : "owner ") + grant.owner + ' ' + std::to_string(first) + ' ' + std::to_string(grant.count) + '\n';
  }
  return text + "end " + std::to_string(grants_.size()) + '\n';
}

size_t OwnerUids::owners() const { return of_owner_.size(); }

base::Status OwnerUids::Save() const {
  if (dir_ < 0) return base::Ok();
  const std::string text = Text();
  if (copy_dir_ >= 0) {
    auto copied = SaveTo(copy_dir_, kUidsCopy, text);
    if (!copied.ok()) return std::move(copied).error().WithContext("its copy in the log directory");
  }
  return SaveTo(dir_, kUidsFile, text);
}

}  // namespace jobd::launch
