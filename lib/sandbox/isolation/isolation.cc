#include "sandbox/isolation/isolation.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

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

std::string TmpOptions(const Profile& profile, uint64_t own_bytes) {
  std::string options = "mode=1777";
  const uint64_t bytes = own_bytes != 0 ? own_bytes : profile.tmp_bytes;
  if (bytes != 0) options += ",size=" + std::to_string(bytes);
  if (profile.tmp_inodes != 0) options += ",nr_inodes=" + std::to_string(profile.tmp_inodes);
  return options;
}

// The files that containers mask in /proc: keys and addresses of the kernel.
constexpr const char* kSecrets[] = {"/proc/keys",        "/proc/kcore",       "/proc/timer_list",
                                    "/proc/timer_stats", "/proc/sched_debug", "/proc/latency_stats"};

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
  for (const bool read_only : {false, true}) {
    auto view = MakeMountView({.privileged = options.privileged,
                               .read_only = read_only,
                               .resolver = read_only ? "" : options.resolver,
                               .hidden = options.hidden});
    if (!view.ok()) {
      isolation.views_missing_ = view.error().message();
      break;
    }
    (read_only ? isolation.read_only_ : isolation.plain_) = std::move(view).value();
  }
  return isolation;
}

base::Status Isolation::Check(const Profile& profile) const {
  const auto missing = [&](const std::string& what) {
    return base::Error(base::Code::kFailedPrecondition, "profile '" + profile.name + "' cannot be enforced here: " + what);
  };
  if (profile.namespaces && !ViewOf(profile)) return missing(views_missing_);
  if (profile.landlock && landlock_.abi == 0) return missing("this kernel has no Landlock");
  return base::Ok();
}

std::vector<Capability> Isolation::capabilities() const {
  std::vector<Capability> all;
  const bool views = plain_ && read_only_;
  std::string how = views_missing_;
  if (views) how = plain_->users ? "in a user namespace" : "as root";
  all.push_back({"namespaces", views, how});
  all.push_back(
      {"landlock", landlock_.abi != 0, landlock_.abi != 0 ? "ABI " + std::to_string(landlock_.abi) : "this kernel has none"});
  return all;
}

std::vector<int> Isolation::fds() const {
  std::vector<int> fds;
  for (const auto* view : {&plain_, &read_only_}) {
    if (!*view) continue;
    for (const base::Fd* fd : {&(*view)->mounts, &(*view)->users, &(*view)->machine_tmp, &(*view)->machine_var_tmp}) {
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
  prepared.tmp_options_ = TmpOptions(profile, job.tmp_bytes);
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
  plan.landlock_scopes = landlock_.scopes;
  PrepareFolder(profile, job, view, prepared);
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
  } else if (profile.read_only) {
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
  plan.folder.writable = true;
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
