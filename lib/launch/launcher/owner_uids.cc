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
constexpr const char* kNewFile = ".job-uids.new";
constexpr size_t kMaxFile = 64u << 20;

constexpr const char* kWriting = "writing job-uids";

base::Error SomebodyElse() {
  return {base::Code::kPermissionDenied, std::string(kWriting) + ": somebody else puts files in its place"};
}

base::Error NoAnswer() {
  return base::SysError(std::string(kWriting) + ": the disk of the state directory does not answer", EAGAIN);
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

}  // namespace

OwnerUids::OwnerUids(int dir, uid_t first, uint32_t count)
    : dir_(dir),
      first_(first),
      count_(count),
      block_(std::clamp<uint32_t>(count / 128, 1, kLargestBlock)),
      blocks_(count / 2 / block_) {}

base::Result<OwnerUids> OwnerUids::Open(int dir, uid_t first, uint32_t count) {
  OwnerUids uids(dir, first, count);
  if (dir < 0) return uids;
  auto file = base::OpenAt(dir, kUidsFile, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file.ok() && file.error().code() == base::Code::kNotFound) return uids;
  if (!file.ok()) return std::move(file).error();
  struct stat info {};
  if (::fstat(file->get(), &info) != 0) return base::SysError(std::string("looking at ") + kUidsFile, errno);
  if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || info.st_nlink != 1 || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return base::Error(base::Code::kPermissionDenied,
                       std::string(kUidsFile) +
                           " in the state directory is not the launcher's own: somebody has put it there. It must "
                           "be a file of root's that nobody else can write; take it from a backup (jobd --restore)");
  }
  JOBD_ASSIGN_OR_RETURN(const std::string text, base::ReadAll(file->get(), kMaxFile));
  JOBD_ASSIGN_OR_RETURN(const Grants grants, Parse(text));
  for (const auto& [uid, grant] : grants) uids.Enter(uid, grant);
  return uids;
}

base::Result<OwnerUids::Grants> OwnerUids::Parse(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return Damaged();
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  if (lines.size() < 2 || lines.front() != kFirstLine || lines.back() != "end " + std::to_string(lines.size() - 2))
    return Damaged();
  Grants grants;
  for (std::string_view line : std::span(lines).subspan(1, lines.size() - 2)) {
    const std::string_view kind = NextWord(line);
    const std::string_view owner = NextWord(line);
    const auto first = NumberOf(NextWord(line));
    const auto count = NumberOf(line);
    const bool good = (kind == "owner" || kind == "jobs") && base::IsSafeName(owner) && first && count && *first != 0 &&
                      *count != 0 && *count <= ~uint32_t{0} - *first && (kind == "jobs" || *count == 1);
    if (!good || !IsFree(grants, *first, *count)) return Damaged();
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
    if (dir_ > 0) ::syscall(SYS_close_range, 0u, static_cast<unsigned>(dir_) - 1, 0);
    ::syscall(SYS_close_range, static_cast<unsigned>(dir_) + 1, ~0u, 0);
    grants_.insert(*std::exchange(pending_, std::nullopt));
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
  auto [first, grant] = *std::exchange(pending_, std::nullopt);
  if (!reaped || !WIFEXITED(status)) return base::SysError(kWriting, EAGAIN);  // somebody killed it; perhaps the kernel, for memory
  if (WEXITSTATUS(status) == EPERM) return SomebodyElse();
  if (WEXITSTATUS(status) != 0) return base::SysError(kWriting, WEXITSTATUS(status));
  Enter(first, grant);
  return base::Ok();
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

// Not by base::ReplaceFile: jobd-server owns the directory, and could have us write through a name that it has put there.
base::Status OwnerUids::Save() const {
  if (dir_ < 0) return base::Ok();
  const std::string what = kWriting;
  if (::unlinkat(dir_, kNewFile, 0) != 0 && errno != ENOENT) return base::SysError(what, errno);
  JOBD_ASSIGN_OR_RETURN(const base::Fd file, base::OpenAt(dir_, kNewFile, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  JOBD_RETURN_IF_ERROR(base::WriteAll(file.get(), Text()));
  if (::fsync(file.get()) != 0) return base::SysError(what, errno);
  if (::renameat(dir_, kNewFile, dir_, kUidsFile) != 0) return base::SysError(what, errno);
  struct stat ours {};
  struct stat there {};
  if (::fstat(file.get(), &ours) != 0 || ::fstatat(dir_, kUidsFile, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
      ours.st_ino != there.st_ino || ours.st_dev != there.st_dev) {
    return SomebodyElse();
  }
  if (::fsync(dir_) != 0 && errno != EINVAL) return base::SysError(what, errno);
  return base::Ok();
}

}  // namespace jobd::launch
