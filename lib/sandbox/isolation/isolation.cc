#include "sandbox/isolation/isolation.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <filesystem>

#include "base/files.h"
#include "sandbox/isolation/accounts.h"
#include "sandbox/rules/bpf_tree.h"
#include "sandbox/rules/syscall_policy.h"

namespace jobd::sandbox {

namespace {

// "xyz" of "/tmp/xyz" below "/tmp"; nothing when it is not below.
std::optional<std::string> Below(const std::string& path, const std::string& folder) {
  if (!path.starts_with(folder + "/")) return std::nullopt;
  return path.substr(folder.size() + 1);
}

std::string Normal(const std::string& path) {
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

std::string TmpOptions(const Profile& profile, const IsolatedJob& job) {
  std::string options = "mode=1777";
  // It is the home of jobs without an account.
  if (job.switch_user) options += ",uid=" + std::to_string(job.uid) + ",gid=" + std::to_string(job.gid);
  const uint64_t bytes = job.tmp_bytes != 0 ? job.tmp_bytes : profile.tmp_bytes;
  if (bytes != 0) options += ",size=" + std::to_string(bytes);
  if (profile.tmp_inodes != 0) options += ",nr_inodes=" + std::to_string(profile.tmp_inodes);
  return options;
}

// The files that containers mask in /proc: keys and addresses of the kernel.
constexpr const char* kSecrets[] = {"/proc/keys",        "/proc/kcore",       "/proc/timer_list",
                                    "/proc/timer_stats", "/proc/sched_debug", "/proc/latency_stats"};

// A job's own terminals. The machine has some thousand in all (kernel.pty.max), of which without this each job could take every
// one.
constexpr const char* kTerminalOptions = "newinstance,ptmxmode=0666,mode=0620,max=64";

// An administrator lets nobody here have a namespace of this kind (namespaces(7)): the kernel says ENOSPC to that, as it does where
// there are too many for now.
bool IsForbidden(std::string_view kind) {
  const auto most = base::ReadFile(AT_FDCWD, "/proc/sys/user/max_" + std::string(kind) + "_namespaces", 64);
  return most.ok() && *most == "0\n";
}

std::string Forbidden(std::string_view kind) { return "user.max_" + std::string(kind) + "_namespaces is 0"; }

}  // namespace

Isolation Isolation::Make(const IsolationOptions& options) {
  Isolation isolation;
  isolation.landlock_ = DetectLandlock();
  isolation.standard_filter_ = CompileFilter(SyscallPolicy(SyscallFilter::kStandard));
  isolation.strict_filter_ = CompileFilter(SyscallPolicy(SyscallFilter::kStrict));
  // A mount costs each job some microseconds: so files whose own permissions refuse the job are left to those.
  for (const char* path : kSecrets) {
    struct stat info {};
    if (::stat(path, &info) != 0) continue;
    isolation.masked_for_root_.push_back(path);
    if ((info.st_mode & (S_IRGRP | S_IROTH)) != 0) isolation.masked_.push_back(path);
  }
  for (auto* list : {&isolation.masked_, &isolation.masked_for_root_}) list->push_back(nullptr);
  isolation.options_ = options;
  isolation.options_.driver = nullptr;
  // In a user namespace the machine's groups stay to be seen, the job's own among them.
  if (options.driver != nullptr && options.privileged) {
    isolation.layout_ = options.driver->layout();
    isolation.hierarchies_ = options.driver->hierarchies();
  }
  // As /etc/group has it, so that programs find the terminal's group to be what they expect; a user namespace knows one group.
  isolation.terminal_options_ = kTerminalOptions;
  if (const auto tty = options.privileged ? FindGroup("tty") : std::nullopt) {
    isolation.terminal_options_ += ",gid=" + std::to_string(*tty);
  }
  isolation.has_passwd_ = ::access("/etc/passwd", F_OK) == 0;
  isolation.has_group_ = ::access("/etc/group", F_OK) == 0;
  (void)isolation.WatchMounts();
  (void)isolation.MakeViews();  // Check says it
  return isolation;
}

bool Isolation::WatchMounts() {
  if (mounts_) return true;
  auto mounts = base::OpenAt(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY);
  if (mounts.ok()) mounts_ = std::move(mounts).value();
  return mounts.ok();
}

base::Status Isolation::CheckNamespaces() const {
  for (const char* kind : {"user", "mnt", "pid", "ipc", "uts", "cgroup"}) {
    const std::string_view name = kind;
    const bool wanted = name == "user" ? !options_.privileged : name != "cgroup" || layout_ != GroupLayout::kNone;
    if (wanted && IsForbidden(name)) return base::Error(base::Code::kFailedPrecondition, Forbidden(name));
  }
  return base::Ok();
}

base::Status Isolation::MakeViews() {
  folder_stamps_ = FolderStamps();
  plain_.reset();
  read_only_.reset();
  plain_accounts_ = {};
  read_only_accounts_ = {};
  views_missing_.clear();
  network_missing_ = IsForbidden("net") ? Forbidden("net") : "";
  if (auto allowed = CheckNamespaces(); !allowed.ok()) {
    views_missing_ = allowed.error().message();
    again_ = could_;
    return allowed;
  }
  for (const bool read_only : {false, true}) {
    auto view = MakeMountView({.privileged = options_.privileged,
                               .read_only = read_only,
                               .resolver = read_only ? "" : options_.resolver,
                               .hidden = options_.hidden,
                               .emptied = options_.emptied,
                               .home = options_.home,
                               .layout = layout_,
                               .hierarchies = hierarchies_});
    if (!view.ok()) {
      views_missing_ = view.error().message();
      again_ = could_ || view.error().code() == base::Code::kResourceExhausted;
      return std::move(view).error();
    }
    (read_only ? read_only_ : plain_) = std::move(view).value();
  }
  could_ = true;
  again_ = false;
  return base::Ok();
}

std::vector<int64_t> Isolation::FolderStamps() const {
  std::vector<int64_t> stamps;
  for (const std::string& folder : options_.emptied) {
    struct stat info {};
    (void)::stat(folder.c_str(), &info);
    for (const int64_t part : {static_cast<int64_t>(info.st_ino), static_cast<int64_t>(info.st_ctim.tv_sec),
                               static_cast<int64_t>(info.st_ctim.tv_nsec)}) {
      stamps.push_back(part);
    }
  }
  return stamps;
}

bool Isolation::Stale() {
  // poll(2) tells each change once (proc(5)). What was mounted before we could watch is not known.
  const bool watched = static_cast<bool>(mounts_);
  pollfd changed{mounts_.get(), POLLPRI, 0};
  const bool mounted = watched ? ::poll(&changed, 1, 0) > 0 : WatchMounts();
  return mounted || again_ || FolderStamps() != folder_stamps_;
}

base::Status Isolation::Renew() {
  auto made = MakeViews();
  return again_ ? std::move(made) : base::Ok();
}

void Isolation::HideMore(const std::vector<std::string>& hidden, const std::vector<std::string>& emptied) {
  const auto add = [](std::vector<std::string>& to, const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      if (std::find(to.begin(), to.end(), path) == to.end()) to.push_back(path);
    }
  };
  add(options_.hidden, hidden);
  add(options_.emptied, emptied);
  std::erase_if(options_.emptied, [this](const std::string& path) {
    return std::find(options_.hidden.begin(), options_.hidden.end(), path) != options_.hidden.end();
  });
}

base::Result<std::string> Isolation::NameAccount(const Profile& profile, const OwnersAccount& account) {
  if (!profile.namespaces) return open_accounts_.Name(-1, account);
  const auto& view = ViewOf(profile);
  return (profile.read_only ? read_only_accounts_ : plain_accounts_).Name(view ? view->accounts.get() : -1, account);
}

base::Status Isolation::Check(const Profile& profile) const {
  const auto missing = [&](const std::string& what) {
    return base::Error(base::Code::kFailedPrecondition, "profile '" + profile.name + "' cannot be enforced here: " + what);
  };
  if (profile.namespaces && !ViewOf(profile)) {
    if (!again_) return missing(views_missing_);
    return base::Error(base::Code::kResourceExhausted, "profile '" + profile.name + "' cannot be had for now: " + views_missing_);
  }
  if (profile.namespaces && !profile.network && !network_missing_.empty()) return missing(network_missing_);
  if (profile.landlock && landlock_.abi == 0) return missing("this kernel has no Landlock");
  return base::Ok();
}

std::vector<Capability> Isolation::capabilities() const {
  std::vector<Capability> all;
  const bool views = plain_ && read_only_;
  std::string how = views_missing_ + (again_ ? " (tried again when a job is to start)" : "");
  if (views) how = plain_->users ? "in a user namespace" : "as root";
  all.push_back({"namespaces", views, how});
  all.push_back({"abstract socket scope", landlock_.socket_scope != 0,
                 landlock_.socket_scope != 0 ? "jobs reach no abstract Unix socket of the machine"
                                             : "this kernel's Landlock has none (ABI 6, Linux 6.12): abstract Unix sockets of the "
                                               "machine can be reached from profiles with the network"});
  all.push_back(
      {"landlock", landlock_.abi != 0, landlock_.abi != 0 ? "ABI " + std::to_string(landlock_.abi) : "this kernel has none"});
  return all;
}

std::vector<int> Isolation::fds() const {
  std::vector<int> fds;
  for (const auto* view : {&plain_, &read_only_}) {
    if (!*view) continue;
    for (const base::Fd* fd :
         {&(*view)->mounts, &(*view)->users, &(*view)->machine_tmp, &(*view)->machine_var_tmp, &(*view)->accounts}) {
      if (*fd) fds.push_back(fd->get());
    }
  }
  return fds;
}

int Isolation::user_namespace(const Profile& profile) const {
  const auto& view = ViewOf(profile);
  return profile.namespaces && view ? view->users.get() : -1;
}

void Isolation::Prepare(const Profile& profile, const IsolatedJob& job, PreparedIsolation& prepared) const {
  IsolationPlan& plan = prepared.plan_;
  prepared.workdir_ = job.workdir.empty() ? "/tmp" : job.workdir;
  const auto& filter = profile.filter == SyscallFilter::kStrict ? strict_filter_ : standard_filter_;
  if (profile.filter != SyscallFilter::kNone) {
    plan.filter = filter.data();
    plan.filter_length = static_cast<uint16_t>(filter.size());
  }
  if (!profile.namespaces) return;
  const MountView& view = *ViewOf(profile);
  prepared.tmp_options_ = TmpOptions(profile, job);
  plan.namespaces = true;
  plan.mount_view = view.mounts.get();
  plan.network = profile.network;
  plan.tmp_options = prepared.tmp_options_.c_str();
  plan.var_tmp = static_cast<bool>(view.machine_var_tmp);
  plan.read_only_proc = job.uid == 0;
  plan.masked = (job.uid == 0 ? masked_for_root_ : masked_).data();
  plan.switch_user = job.switch_user;
  plan.uid = job.uid;
  plan.gid = job.gid;
  plan.groups = job.groups->data();
  plan.group_count = job.groups->size();
  plan.landlock = profile.landlock;
  plan.landlock_files = landlock_.files;
  // Without the network there are none of the machine's in the first place.
  plan.landlock_scopes = profile.landlock ? landlock_.scopes : profile.network ? landlock_.socket_scope : 0;
  plan.terminal_options = terminal_options_.c_str();
  if (!job.account.empty() && view.accounts) {
    prepared.passwd_ = PasswdFileName(job.account);
    prepared.group_ = GroupFileName(job.account);
    plan.accounts = view.accounts.get();
    plan.passwd = has_passwd_ ? prepared.passwd_.c_str() : nullptr;
    plan.group = has_group_ ? prepared.group_.c_str() : nullptr;
  }
  PrepareGroups(job, prepared);
  PrepareFolder(profile, job, view, prepared);
}

void Isolation::PrepareGroups(const IsolatedJob& job, PreparedIsolation& prepared) const {
  if (layout_ == GroupLayout::kNone || job.group == nullptr) return;
  IsolationPlan& plan = prepared.plan_;
  plan.own_groups = true;
  plan.groups_v2 = layout_ == GroupLayout::kV2;
  prepared.group_texts_ = job.group->hierarchies();
  const size_t count = prepared.group_texts_.size();
  prepared.group_texts_.reserve(2 * count);  // pointers into it stay
  for (size_t i = 0; i < count; ++i) {
    const std::string& name = prepared.group_texts_[i];
    const auto known =
        std::find_if(hierarchies_.begin(), hierarchies_.end(), [&](const auto& other) { return other.name == name; });
    if (known == hierarchies_.end()) continue;
    prepared.group_texts_.push_back("/sys/fs/cgroup/" + name);
    prepared.group_mounts_.push_back({name.c_str(), prepared.group_texts_.back().c_str()});
  }
  plan.group_mounts = prepared.group_mounts_.data();
  plan.group_mount_count = prepared.group_mounts_.size();
}

bool Isolation::IsClosed(const std::string& path) const {
  const std::string& home = options_.home;
  if (home.empty()) return false;
  if (const auto below = Below(path, home)) return (*below)[0] == '.';
  return path == home || Below(home, path);
}

bool Isolation::MayBeWritable(const Profile& profile, const std::string& path) const {
  if (!options_.home.empty() && Below(path, options_.home)) return !IsClosed(path);
  return profile.read_only && !IsClosed(path);  // else it is as writable as it was
}

void Isolation::PrepareFolder(const Profile& profile, const IsolatedJob& job, const MountView& view,
                              PreparedIsolation& prepared) const {
  const std::string path = Normal(prepared.workdir_);
  if (path == "/" || path == "/tmp" || path == "/var/tmp") return;
  IsolationPlan& plan = prepared.plan_;
  if (const auto in_tmp = Below(path, "/tmp"); in_tmp && view.machine_tmp) {
    plan.folder.source_dir = view.machine_tmp.get();
    prepared.source_ = *in_tmp;
  } else if (const auto in_var_tmp = Below(path, "/var/tmp"); in_var_tmp && view.machine_var_tmp) {
    plan.folder.source_dir = view.machine_var_tmp.get();
    prepared.source_ = *in_var_tmp;
  } else if (MayBeWritable(profile, path)) {
    plan.folder.source_dir = AT_FDCWD;
    prepared.source_ = path;
  } else {
    return;  // it is where it was, and as writable
  }
  plan.bind_folder = true;
  prepared.workdir_ = path;
  plan.folder.source = prepared.source_.c_str();
  plan.folder.without_links = job.workdir_without_links;
  plan.folder.target = prepared.workdir_.c_str();
  plan.folder.writable = !IsClosed(path);
  if (plan.folder.source_dir != AT_FDCWD) {
    // In the job's own /tmp there is nothing yet.
    for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      prepared.to_make_.push_back(path.substr(0, slash));
    }
    prepared.to_make_.push_back(path);
  }
  for (const std::string& folder : prepared.to_make_) prepared.to_make_pointers_.push_back(folder.c_str());
  prepared.to_make_pointers_.push_back(nullptr);
  plan.folder.to_make = prepared.to_make_pointers_.data();
}

}  // namespace jobd::sandbox
