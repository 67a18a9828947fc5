// The launcher towards its shims: forking, adopting, steering, and sweeping up.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <limits>
#include <utility>

#include "base/text.h"
#include "launch/adoption.h"
#include "launch/clone.h"
#include "launch/contract/step.h"
#include "launch/launcher.h"
#include "launch/offering.h"
#include "launch/sweeper.h"
#include "sandbox/accounts.h"

namespace jobd::launch {

namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kSearchAgain{1};
constexpr size_t kMostKept = 64;  // signals for a shim that is being searched for

std::string GroupOf(JobKey key) { return sandbox::GroupName(key.batch, key.index, key.attempt); }

// The machine's state, which passes, rather than the request's fault.
bool IsPassing(int error) {
  switch (error) {
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case EDQUOT:
    case EROFS: return true;
    default: return false;
  }
}

base::Error PolicyError(std::string text) { return {base::Code::kPermissionDenied, std::move(text)}; }

}  // namespace

base::Result<Identity> Launcher::IdentityOf(const LaunchRequest& request, std::optional<uid_t>& own_uid) {
  JOBD_ASSIGN_OR_RETURN(const RunAs run_as, DecideRunAs(options_.policy, request));
  switch (run_as.kind) {
    case RunAs::Kind::kSelf: return Identity{};
    case RunAs::Kind::kOwnUid: {
      own_uid = uids_.Take();
      if (!own_uid) return base::SysError("taking a uid of the job range", EAGAIN);
      return Identity{.switch_user = true, .uid = *own_uid, .gid = static_cast<gid_t>(*own_uid), .groups = {}};
    }
    case RunAs::Kind::kAccount: break;
  }
  auto account = sandbox::FindAccount(run_as.account);
  if (!account.ok()) return std::move(account).error();
  // Another name for uid 0 must not get what only "root" stands for.
  if (account->uid == 0 && run_as.account != "root") return PolicyError("account '" + run_as.account + "' has uid 0");
  if (account->uid == options_.policy.server_uid) return PolicyError("account '" + run_as.account + "' is jobd-server's own");
  return Identity{.switch_user = true, .uid = account->uid, .gid = account->gid, .groups = std::move(account->groups)};
}

base::Result<const sandbox::Profile*> Launcher::ProfileOf(LaunchRequest& request) {
  JOBD_RETURN_IF_ERROR(CheckRequest(request));
  JOBD_ASSIGN_OR_RETURN(const sandbox::Profile* const profile, DecideProfile(options_.policy, request));
  const ProfileOffer offer = OfferOf(options_.shim, options_.policy, *profile);
  JOBD_RETURN_IF_ERROR(ApplyBounds(options_.policy, offer, request));
  JOBD_RETURN_IF_ERROR(options_.shim.driver->Check(GroupLimitsOf(request.limits)));
  JOBD_RETURN_IF_ERROR(options_.shim.isolation->Check(*profile));
  if (const auto beyond = BeyondProfile(offer, request.limits)) {
    return base::Error(base::Code::kInvalidArgument, beyond->field + ": " + beyond->problem);
  }
  return profile;
}

void Launcher::Handle(Launch& frame) {
  LaunchRequest& request = frame.request;
  if (shims_.contains(request.key)) {
    return Refuse(request.key, {base::Code::kAlreadyExists, "a shim lives for this attempt"}, false, false);
  }
  const auto profile = ProfileOf(request);
  if (!profile.ok()) {
    const bool denied = profile.error().code() == base::Code::kPermissionDenied;
    if (denied && hooks_.on_denied) hooks_.on_denied(request, profile.error().message());
    return Refuse(request.key, profile.error(), false, denied);
  }

  auto shim = std::make_unique<LiveShim>(context_);
  auto identity = IdentityOf(request, shim->uid);
  if (!identity.ok()) {
    const base::Error& error = identity.error();
    const bool denied = error.code() == base::Code::kPermissionDenied;
    if (denied && hooks_.on_denied) hooks_.on_denied(request, error.message());
    return Refuse(request.key, error, IsPassing(error.sys_errno()), denied);
  }

  identity->workdir_without_links = WorkdirIsBounded(options_.policy, request);

  // Blocked from before the shim's first instruction, so that a cancel that follows at once waits for its loop.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  auto cloned = CloneProcess();
  if (cloned.ok() && cloned->pid == 0) RunShim(options_.shim, request, *identity, **profile);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);

  if (!cloned.ok()) {
    if (shim->uid) uids_.Release(*shim->uid);
    const base::Error error = std::move(cloned).error().WithContext(StepText(Step::kFork));
    return Refuse(request.key, error, IsPassing(error.sys_errno()), false);
  }
  shim->pid = cloned->pid;
  shim->own_child = true;
  shim->pidfd.assign(cloned->pidfd.release());
  AwaitShim(request.key, *shim);
  shims_.emplace(request.key, std::move(shim));
}

void Launcher::Handle(const Watch& frame) {
  if (shims_.contains(frame.key)) return;
  auto found = FindShim(options_.shim, frame);
  if (!found.ok() && IsPassing(found.error().sys_errno())) {
    hooks_.report("looking for a shim: " + found.error().message());
    return WatchLater(frame);
  }
  const auto kept = searching_.extract(frame.key);
  if (!found.ok()) hooks_.report("looking for a shim: " + found.error().message());
  if (!found.ok() || !found->pidfd) return SweepThen(frame.key, [this, key = frame.key] { SendToServer(ShimExited{key}); });
  auto shim = std::make_unique<LiveShim>(context_);
  shim->pid = found->pid;
  shim->pidfd.assign(found->pidfd.release());
  if (found->job_uid) {
    uids_.Mark(*found->job_uid);
    shim->uid = found->job_uid;
  }
  AwaitShim(frame.key, *shim);
  shims_.emplace(frame.key, std::move(shim));
  if (kept.empty()) return;
  for (const auto& [signal, value] : kept.mapped()) SendToShim(frame.key, signal, value);
}

// For want of descriptors or memory nobody can tell whether the shim lives; a job must not end for that.
void Launcher::WatchLater(const Watch& frame) {
  searching_.try_emplace(frame.key);
  auto timer = std::make_shared<asio::steady_timer>(context_, kSearchAgain);
  timer->async_wait([this, timer, frame](const boost::system::error_code& error) {
    if (!error && searching_.contains(frame.key)) Handle(frame);
  });
}

void Launcher::AwaitShim(JobKey key, LiveShim& shim) {
  shim.pidfd.async_wait(asio::posix::stream_descriptor::wait_read, [this, key](const boost::system::error_code& error) {
    if (!error) OnShimGone(key);
  });
}

void Launcher::OnShimGone(JobKey key) {
  LiveShim& shim = *shims_.at(key);
  int status = 0;
  if (shim.own_child && ::waitpid(shim.pid, &status, 0) == shim.pid && WIFEXITED(status)) {
    const int error = WEXITSTATUS(status);
    Forget(key);
    if (error == kShimRecorded) return SendToServer(ShimExited{key});
    const auto text = error == EEXIST ? base::Error(base::Code::kAlreadyExists, "this attempt has begun before")
                                      : base::SysError(StepText(Step::kLock), error);
    return Refuse(key, text, IsPassing(error), false);
  }
  // Killed, or another launcher's child, whose status we cannot have: there may be something left.
  SweepThen(key, [this, key] {
    Forget(key);
    SendToServer(ShimExited{key});
  });
}

void Launcher::Forget(JobKey key) {
  const auto it = shims_.find(key);
  if (it == shims_.end()) return;
  if (it->second->uid) uids_.Release(*it->second->uid);
  const bool sweep_asked = it->second->sweep_asked;
  shims_.erase(it);
  if (sweep_asked) SendToServer(Swept{key});
}

void Launcher::Handle(const Sweep& frame) {
  const auto it = shims_.find(frame.key);
  if (it != shims_.end()) {
    // The server looked when this one had not come so far as to lock its slot, or had just died. If it lives, so may its job: what
    // became of it is known when it is gone.
    it->second->sweep_asked = true;
    return;
  }
  SweepThen(frame.key, [this, key = frame.key] { SendToServer(Swept{key}); });
}

void Launcher::SweepThen(JobKey key, std::function<void()> done) {
  SweepGroup(context_, *options_.shim.driver, GroupOf(key), std::move(done), hooks_.report);
}

void Launcher::Handle(const Reconciled& /*frame*/) {
  std::vector<std::string> live;
  for (const auto& [key, shim] : shims_) live.push_back(GroupOf(key));
  for (const auto& [key, signals] : searching_) live.push_back(GroupOf(key));
  for (const std::string& name : options_.shim.driver->List()) {
    if (std::find(live.begin(), live.end(), name) != live.end()) continue;
    hooks_.report("removing what is left of an unknown job: " + name);
    SweepGroup(
        context_, *options_.shim.driver, name, [] {}, hooks_.report);
  }
}

void Launcher::Handle(const CancelJob& frame) {
  const auto millis = std::clamp<base::Nanos>(frame.grace / base::kNanosPerMilli, 0, std::numeric_limits<int>::max());
  SendToShim(frame.key, kCancelSignal, static_cast<int>(millis));
}

void Launcher::Handle(const SignalJob& frame) {
  if (frame.signal >= 1 && frame.signal <= 64) SendToShim(frame.key, kForwardSignal, frame.signal);
}

void Launcher::SendToShim(JobKey key, int signal, int value) {
  if (const auto searched = searching_.find(key); searched != searching_.end()) {
    if (searched->second.size() < kMostKept) searched->second.emplace_back(signal, value);
    return;
  }
  const auto it = shims_.find(key);
  if (it == shims_.end()) return;
  siginfo_t info{};
  info.si_signo = signal;
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_int = value;
  if (::syscall(SYS_pidfd_send_signal, it->second->pidfd.native_handle(), signal, &info, 0) != 0 && errno != ESRCH) {
    hooks_.report(base::SysError("signalling a shim", errno).message());
  }
}

}  // namespace jobd::launch
