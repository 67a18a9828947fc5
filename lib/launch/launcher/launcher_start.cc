// How the launcher starts jobs: it holds the request to its policy, and gives it a shim.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

#include "launch/contract/step.h"
#include "launch/launcher/capability_report.h"
#include "launch/launcher/job_accounts.h"
#include "launch/launcher/launcher.h"
#include "launch/process/clone.h"
#include "launch/shim/assignment.h"
#include "launch/shim/shim.h"
#include "sandbox/isolation/accounts.h"

namespace jobd::launch {

namespace {

// Of a job with a view and without an account: its own /tmp, which is its uid's.
constexpr const char* kHomeInView = "/tmp";

// One that takes no commands is there to keep people out; programs that start a shell would fail.
std::string ShellOf(const sandbox::Account& account) {
  const std::string& shell = account.shell;
  return shell.empty() || shell.ends_with("/nologin") || shell.ends_with("/false") ? "/bin/sh" : shell;
}

base::Error PolicyError(std::string text) { return {base::Code::kPermissionDenied, std::move(text)}; }

}  // namespace

base::Result<Person> Launcher::PersonOf(const LaunchRequest& request, const sandbox::Profile& profile, uid_t uid) {
  Person person{.name = {}, .home = kHomeInView, .shell = "/bin/sh"};
  if (!profile.namespaces) {
    JOBD_ASSIGN_OR_RETURN(person.home, homes_.Of(uid));
  }
  const sandbox::OwnersAccount account{
      .owner = request.owner, .uid = uid, .gid = static_cast<gid_t>(uid), .home = person.home, .of_machine = false};
  JOBD_ASSIGN_OR_RETURN(person.name, options_.shim.isolation->NameAccount(profile, account));
  return person;
}

base::Result<Identity> Launcher::IdentityOf(const LaunchRequest& request, const sandbox::Profile& profile,
                                            std::optional<uid_t>& own_uid, Person& person) {
  JOBD_ASSIGN_OR_RETURN(const RunAs run_as, DecideRunAs(options_.policy, request));
  switch (run_as.kind) {
    case RunAs::Kind::kSelf: {
      const sandbox::Account self = sandbox::AccountOf(::geteuid());
      person = {.name = self.name, .home = self.home, .shell = ShellOf(self)};
      if (!profile.namespaces) return Identity{};
      // Its real home is not for jobs that have a /tmp of their own; and the uid need not have an account at all.
      person.home = kHomeInView;
      const sandbox::OwnersAccount account{
          .owner = request.owner, .uid = self.uid, .gid = ::getegid(), .home = person.home, .of_machine = true};
      JOBD_ASSIGN_OR_RETURN(person.name, options_.shim.isolation->NameAccount(profile, account));
      return Identity{.account = sandbox::AccountKey(account)};
    }
    case RunAs::Kind::kOwnUid: {
      if (!options_.uids) return PolicyError("there is no range of uids for jobs");
      const bool of_job = profile.uid == sandbox::UidPer::kJob;
      // Its uid may be one that we do not know to be taken.
      if (of_job && (reconciling_ || !searching_.empty())) {
        return base::SysError("jobs that run from before are still being looked for", EAGAIN);
      }
      JOBD_ASSIGN_OR_RETURN(const uid_t uid,
                            of_job ? options_.uids->TakeForJob(request.owner) : options_.uids->OfOwner(request.owner));
      if (of_job) own_uid = uid;
      JOBD_ASSIGN_OR_RETURN(person, PersonOf(request, profile, uid));
      return Identity{
          .switch_user = true, .uid = uid, .gid = static_cast<gid_t>(uid), .groups = {}, .account = std::to_string(uid)};
    }
    case RunAs::Kind::kAccount: break;
  }
  JOBD_ASSIGN_OR_RETURN(sandbox::Account account, FindJobAccount(options_.policy, run_as.account));
  person = {.name = account.name, .home = account.home, .shell = ShellOf(account)};
  return Identity{.switch_user = true, .uid = account.uid, .gid = account.gid, .groups = std::move(account.groups)};
}

base::Result<const sandbox::Profile*> Launcher::ProfileOf(LaunchRequest& request) {
  JOBD_RETURN_IF_ERROR(CheckRequest(request));
  JOBD_ASSIGN_OR_RETURN(const sandbox::Profile* const profile, DecideProfile(options_.policy, request));
  const ProfileCapabilities available = ProfileCapabilitiesOf(options_.shim, options_.policy, *profile);
  JOBD_RETURN_IF_ERROR(ApplyBounds(options_.policy, available, request));
  JOBD_RETURN_IF_ERROR(options_.shim.driver->Check(GroupLimitsOf(request.limits)));
  JOBD_RETURN_IF_ERROR(options_.shim.isolation->Check(*profile));
  if (const auto excess = ExceedsProfile(available, request.limits)) {
    return base::Error(base::Code::kInvalidArgument, excess->field + ": " + excess->problem);
  }
  return profile;
}

void Launcher::Handle(Launch& frame) {
  LaunchRequest& request = frame.request;
  if (shims_.contains(request.key)) {
    return Refuse(request.key, {base::Code::kAlreadyExists, "a shim lives for this attempt"}, false, false);
  }
  if (sweeper_.IsSweeping(GroupOf(request.key))) {
    return Refuse(request.key, base::SysError("what an earlier start left is still being removed", EAGAIN), true, false);
  }
  if (searching_.contains(request.key)) {
    return Refuse(request.key, base::SysError("what an earlier start left is still being looked for", EAGAIN), true, false);
  }
  if (const auto bound = count_.Exceeds(request.owner, std::chrono::steady_clock::now())) {
    // Passing: should a server that keeps to the policy ever get here, its job waits.
    if (const auto text = excesses_.Pass("jobd-server asks for more jobs at once than may run by " + *bound + ": refused",
                                         std::chrono::steady_clock::now())) {
      hooks_.report(*text);
    }
    return Refuse(request.key, base::SysError("more jobs live already than may run by " + *bound, EAGAIN), true, false);
  }
  // A job without a view of its own needs none that is up to date.
  const sandbox::Profile* const asked = options_.policy.profiles.Find(request.profile);
  if (asked != nullptr && asked->namespaces) {
    if (const auto renewed = RenewViews(); !renewed.ok()) return Refuse(request.key, renewed.error(), true, false);
  }
  const auto profile = ProfileOf(request);
  if (!profile.ok()) {
    const bool denied = profile.error().code() == base::Code::kPermissionDenied;
    if (denied) TellDenied(request, profile.error().message());
    return Refuse(request.key, profile.error(), profile.error().code() == base::Code::kResourceExhausted, denied);
  }

  std::optional<uid_t> own_uid;
  Person person;
  auto identity = IdentityOf(request, **profile, own_uid, person);
  if (!identity.ok()) {
    if (own_uid) options_.uids->Release(*own_uid);
    const base::Error& error = identity.error();
    const bool denied = error.code() == base::Code::kPermissionDenied;
    if (denied) TellDenied(request, error.message());
    return Refuse(request.key, error, IsPassing(error.sys_errno()), denied);
  }
  identity->workdir_without_links = WorkdirIsBounded(options_.policy, request);

  CompleteEnvironment(options_.policy, **profile, person, request);
  const JobKey key = request.key;
  std::string owner = request.owner;
  const base::Nanos timeout = request.timeout;
  const base::Nanos kill_after = request.kill_after;
  Assignment job{.request = std::move(request), .identity = *std::move(identity), .profile = (*profile)->name};
  std::shared_ptr<LiveShim> shim = GiveToWaiting(job);
  if (shim == nullptr) {
    auto forked = ForkShim(std::move(job));
    if (!forked.ok()) {
      if (own_uid) options_.uids->Release(*own_uid);
      const base::Error error = std::move(forked).error().WithContext(StepText(Step::kFork));
      return Refuse(key, error, IsPassing(error.sys_errno()), false);
    }
    shim = *std::move(forked);
  }
  shim->job = key;
  shim->uid = own_uid;
  count_.Add(owner);
  shim->owner = std::move(owner);
  if (shim->channel.is_open()) AwaitStatus(shim);
  if (timeout > 0) Enforce(shim, timeout + kTimeoutMargin, kill_after);
  shims_.emplace(key, std::move(shim));
}

std::shared_ptr<LiveShim> Launcher::GiveToWaiting(Assignment& job) {
  if (job.request.stdin_data.size() > kMaxAssignment) return nullptr;
  while (auto shim = pool_.Take()) {
    job.serial = shim->serial + 1;
    const std::string encoded = EncodeAssignment(job);
    if (encoded.size() > kMaxAssignment) {
      pool_.Keep(std::move(shim));
      return nullptr;
    }
    if (TrySendAssignment(shim->channel.native_handle(), encoded)) {
      shim->serial = job.serial;
      return shim;
    }
    pool_.Dismiss(std::move(shim));  // killed
  }
  return nullptr;
}

base::Result<std::shared_ptr<LiveShim>> Launcher::ForkShim(Assignment job) {
  // Without a channel, for want of descriptors, it is a shim for one job.
  int ends[2] = {base::Fd::kNone, base::Fd::kNone};
  (void)::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
  base::Fd ours(ends[0]);
  base::Fd theirs(ends[1]);
  job.serial = 1;

  // Blocked from before the shim's first instruction, so that a cancel that follows at once waits for its loop.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  auto cloned = CloneProcess();
  if (cloned.ok() && cloned->pid == 0) RunShim(options_.shim, options_.policy.profiles, std::move(job), std::move(theirs));
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (!cloned.ok()) return std::move(cloned).error();

  auto shim = std::make_shared<LiveShim>(context_);
  shim->pid = cloned->pid;
  shim->own_child = true;
  shim->serial = 1;
  shim->policy = policy_number_;
  // Without a channel it is a shim for one job.
  if (ours) (void)Watchable(shim->channel, std::move(ours));
  WatchShim(shim, std::move(cloned->pidfd));
  return shim;
}

}  // namespace jobd::launch
