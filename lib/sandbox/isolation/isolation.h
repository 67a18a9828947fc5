// The isolation that this machine can give, prepared once by the launcher, and the plan for one job made from it.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/cgroup/job_group.h"
#include "sandbox/isolation/isolation_plan.h"
#include "sandbox/isolation/landlock.h"
#include "sandbox/isolation/mount_view.h"
#include "sandbox/isolation/owner_accounts.h"
#include "sandbox/rules/profile.h"

namespace jobd::sandbox {

struct IsolationOptions {
  bool privileged = false;
  std::vector<std::string> hidden;  // as in ViewOptions, and so the next two
  std::vector<std::string> emptied;
  std::string home;
  std::string resolver = "/etc/resolv.conf";  // as there, for profiles with the network
  const GroupDriver* driver = nullptr;        // whose groups are shown to jobs; borrowed until Make returns
};

// The job's user and folder, as far as isolation needs them. Borrowed by the plan.
struct IsolatedJob {
  std::string workdir;  // absolute; empty: /tmp
  // The way to workdir may not lead over symbolic links, which others may have planted to lead elsewhere.
  bool workdir_without_links = false;
  uint64_t tmp_bytes = 0;  // size of its private /tmp; 0: the profile's
  bool switch_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
  const std::vector<gid_t>* groups = nullptr;
  std::string account;              // as NameAccount had it: its AccountKey; empty: it is named by the machine alone
  const JobGroup* group = nullptr;  // its group, if it is to be shown
};

// The texts and arrays that a plan points to.
class PreparedIsolation {
 public:
  PreparedIsolation() = default;
  PreparedIsolation(const PreparedIsolation&) = delete;
  PreparedIsolation& operator=(const PreparedIsolation&) = delete;
  // Valid as long as this object and the Isolation it came from.
  const IsolationPlan& plan() const { return plan_; }
  // The folder to change to once the plan is carried out.
  const std::string& workdir() const { return workdir_; }

 private:
  friend class Isolation;
  IsolationPlan plan_;
  std::string workdir_;
  std::string source_;
  std::string tmp_options_;
  std::vector<std::string> to_make_;
  std::vector<const char*> to_make_pointers_;
  std::string passwd_;
  std::string group_;
  std::vector<std::string> group_texts_;
  std::vector<GroupMount> group_mounts_;
};

// Not thread-safe. What a shim has is a copy of the moment when it was forked.
class Isolation {
 public:
  // Never fails: a part that cannot be had here is remembered with the reason. In a process with one thread.
  static Isolation Make(const IsolationOptions& options);

  // kFailedPrecondition when a part of the profile cannot be enforced here; the message names it. kResourceExhausted when it cannot
  // be had for now, for want of something that comes back: after the next Renew it may.
  base::Status Check(const Profile& profile) const;
  // True when the views may no longer show the machine: something was mounted or unmounted on it, or a file came to or went from a
  // folder that is shown emptied; or that there are none although there could be. Asking costs a few microseconds.
  bool Stale();
  // Besides what is hidden already, from the next Renew on.
  void HideMore(const std::vector<std::string>& hidden, const std::vector<std::string>& emptied);
  // Makes the views again; as Make. Shims that were forked before keep the old ones. An error: there are none for now, though there
  // were, or want of something that comes back is the cause. Stale until they could be made.
  base::Status Renew();
  // The name of an account that is the jobs' and not the machine's, or not as the machine has it: in the profile's view, if it has
  // one, /etc/passwd says so. Errors carry errno.
  base::Result<std::string> NameAccount(const Profile& profile, const OwnersAccount& account);
  std::vector<Capability> capabilities() const;
  // Descriptors the shims need; borrowed.
  std::vector<int> fds() const;
  // The user namespace to enter before anything else; -1: none.
  int user_namespace(const Profile& profile) const;
  // Fills `prepared`, of a checked profile.
  void Prepare(const Profile& profile, const IsolatedJob& job, PreparedIsolation& prepared) const;

 private:
  base::Status MakeViews();
  // kFailedPrecondition when a kind of namespaces that every view needs is forbidden here.
  base::Status CheckNamespaces() const;
  // True when what is mounted on the machine can be watched.
  bool WatchMounts();
  std::vector<int64_t> FolderStamps() const;
  void PrepareGroups(const IsolatedJob& job, PreparedIsolation& prepared) const;
  const std::optional<MountView>& ViewOf(const Profile& profile) const { return profile.read_only ? read_only_ : plain_; }
  // A folder that the job asked for is writable although it lies where nothing else is: in a read-only view, or in our own home;
  // but never that itself, nor what programs keep there in folders with a dot.
  bool MayBeWritable(const Profile& profile, const std::string& path) const;
  // Our own home, what programs keep there in folders with a dot, and what our home lies in: never to be written to.
  bool IsClosed(const std::string& path) const;
  void PrepareFolder(const Profile& profile, const IsolatedJob& job, const MountView& view, PreparedIsolation& prepared) const;

  IsolationOptions options_;
  GroupLayout layout_ = GroupLayout::kNone;
  std::vector<GroupHierarchy> hierarchies_;
  base::Fd mounts_;  // /proc/self/mountinfo: says when it changes
  std::vector<int64_t> folder_stamps_;
  std::string terminal_options_;
  bool has_passwd_ = false;
  bool has_group_ = false;
  OwnerAccounts plain_accounts_;
  OwnerAccounts read_only_accounts_;
  OwnerAccounts open_accounts_;  // of jobs without a view
  std::optional<MountView> plain_;
  std::optional<MountView> read_only_;
  std::string views_missing_;    // why
  std::string network_missing_;  // why there is no network of a job's own
  bool could_ = false;           // there were views
  bool again_ = false;           // there are none now, and the next try may make them
  // Files of /proc that a job could read and must not: a job of any account; a job of root.
  std::vector<const char*> masked_;
  std::vector<const char*> masked_for_root_;
  LandlockRights landlock_;
  std::vector<sock_filter> standard_filter_;
  std::vector<sock_filter> strict_filter_;
};

}  // namespace jobd::sandbox
