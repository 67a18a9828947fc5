// The launcher towards its shims: watching, steering, and sweeping up.
#include <fcntl.h>
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

#include "base/bounds.h"
#include "base/clock.h"
#include "launch/contract/step.h"
#include "launch/launcher/launcher.h"
#include "launch/launcher/untaken_signals.h"
#include "launch/shim/assignment.h"
#include "sandbox/cgroup/processes.h"

namespace jobd::launch {

namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kWatchAgain{1};
constexpr base::Nanos kCancelMargin = 300 * base::kNanosPerMilli;
// A shim that writes much waits for its disk now and then: it hangs when it is found so again and again.
constexpr int kHungLooks = 4;
constexpr std::chrono::milliseconds kLookAgain{200};
constexpr std::chrono::milliseconds kLookAgainCalmly{1000};
constexpr std::chrono::milliseconds kTaking{50};  // before it is looked whether a signal was taken
constexpr std::chrono::milliseconds kSendAgain{100};
constexpr int kMostFailures = 600;
constexpr size_t kMostKept = 64;  // frames for a shim that is being searched for
// Signals for one shim that it has not taken, and that could not be sent: no person sends so many before the first is taken.
constexpr size_t kMostUntaken = 1024;
constexpr uint32_t kMostUnsent = 64;

// Whether it waits for a disk, or was stopped: then it is made to go on.
base::Result<bool> IsHung(LiveShim& shim) {
  JOBD_ASSIGN_OR_RETURN(const auto stat, sandbox::StatOfProcess(shim.pid));
  const char state = stat ? stat->state : '\0';
  const bool stopped = state == 'T' || state == 't';
  if (stopped && shim.pidfd.is_open()) ::syscall(SYS_pidfd_send_signal, shim.pidfd.native_handle(), SIGCONT, nullptr, 0);
  return stopped || state == 'D';
}

// Of a job that has not been told to end, and whose time is not over.
bool EndsOfOurKill(const LiveShim& shim) {
  if (shim.cancel_asked) return false;
  return !shim.backstop ||
         std::chrono::steady_clock::now() + std::chrono::nanoseconds(kTimeoutMargin) < shim.backstop->terminate_at;
}

}  // namespace

std::shared_ptr<LiveShim> Launcher::Adopt(JobKey key, FoundShim found, const std::optional<Watch>& watch) {
  auto shim = std::make_shared<LiveShim>(context_);
  shim->pid = found.pid;
  shim->job = key;
  if (found.job_uid) {
    if (options_.uids) options_.uids->Mark(*found.job_uid);
    shim->uid = found.job_uid;
  }
  if (watch) {
    count_.Add(watch->owner);
    shim->owner = watch->owner;
  }
  WatchShim(shim, std::move(found.pidfd));
  shims_.emplace(key, shim);
  if (found.deadline > 0) {
    // The server can write there, too: any number.
    const base::Nanos left = std::clamp<base::Nanos>(found.deadline - base::SystemClock().Monotonic(), 0, base::kMaxJobTime);
    Enforce(shim, left + kTimeoutMargin, std::clamp<base::Nanos>(found.kill_after, 0, base::kMaxJobTime));
  } else if (found.deadline == 0) {
    KeepAwake(shim);
  }
  return shim;
}

// When its job is due is not known to us, but to the shim, which keeps to it unless it is stopped.
void Launcher::KeepAwake(const std::shared_ptr<LiveShim>& shim) {
  shim->backstop = std::make_unique<Backstop>(context_);
  shim->backstop->terminate_at = shim->backstop->kill_at = std::chrono::steady_clock::time_point::max();
  AwaitBackstop(shim, std::chrono::steady_clock::now() + kLookAgainCalmly);
}

bool Launcher::Watchable(asio::posix::stream_descriptor& watched, base::Fd fd) {
  boost::system::error_code refused;
  (void)watched.assign(fd.get(), refused);
  if (refused) return false;
  (void)fd.release();
  return true;
}

void Launcher::WatchShim(const std::shared_ptr<LiveShim>& shim, base::Fd pidfd) {
  boost::system::error_code refused;
  (void)shim->pidfd.assign(pidfd.get(), refused);
  if (!refused) {
    (void)pidfd.release();
    return AwaitShim(shim);
  }
  hooks_.report("watching a shim: " + refused.message());
  auto timer = std::make_shared<asio::steady_timer>(context_, kWatchAgain);
  auto held = std::make_shared<base::Fd>(std::move(pidfd));
  timer->async_wait([this, timer, held, weak = std::weak_ptr(shim)](const boost::system::error_code& error) {
    if (const auto waiting = weak.lock(); waiting && !error) WatchShim(waiting, std::move(*held));
  });
}

void Launcher::Enforce(const std::shared_ptr<LiveShim>& shim, base::Nanos terminate, base::Nanos kill) {
  const auto now = std::chrono::steady_clock::now();
  const auto terminate_at = now + std::chrono::nanoseconds(terminate);
  const auto kill_at = terminate_at + std::chrono::nanoseconds(kill);
  if (shim->backstop == nullptr) {
    shim->backstop = std::make_unique<Backstop>(context_);
    shim->backstop->terminate_at = terminate_at;
    shim->backstop->kill_at = kill_at;
  } else {  // both can only come nearer
    shim->backstop->terminate_at = std::min(shim->backstop->terminate_at, terminate_at);
    shim->backstop->kill_at = std::min(shim->backstop->kill_at, kill_at);
  }
  AwaitBackstop(shim, shim->backstop->terminate_at);
}

void Launcher::AwaitBackstop(const std::shared_ptr<LiveShim>& shim, std::chrono::steady_clock::time_point at) {
  shim->backstop->timer.expires_at(at);
  shim->backstop->timer.async_wait([this, weak = std::weak_ptr(shim)](const boost::system::error_code& error) {
    if (const auto live = weak.lock(); live && !error && live->backstop) LookAtBackstop(live);
  });
}

// A shim that works ends its job by itself, and records why. One that was stopped is made to go on. One that waits for a disk
// cannot be helped: its job is ended by us, and it records that, for the same reason, when the disk answers.
void Launcher::LookAtBackstop(const std::shared_ptr<LiveShim>& shim) {
  Backstop& backstop = *shim->backstop;
  const auto now = std::chrono::steady_clock::now();
  // What cannot be seen now changes nothing.
  if (const auto hung = IsHung(*shim); hung.ok()) backstop.hung = *hung ? backstop.hung + 1 : 0;
  if (backstop.hung >= kHungLooks && shim->job && now >= backstop.terminate_at) {
    const auto group = options_.shim.driver->Open(GroupOf(*shim->job));
    if (group.ok() && now >= backstop.kill_at) {
      (void)(*group)->Kill();  // again at the next look, if need be
    } else if (group.ok() && !backstop.terminated) {
      backstop.terminated = (*group)->Signal(SIGTERM).ok() && (*group)->Signal(SIGCONT).ok();
    }
  }
  AwaitBackstop(shim, now + (backstop.hung > 0 ? kLookAgain : kLookAgainCalmly));
}

void Launcher::AwaitShim(const std::shared_ptr<LiveShim>& shim) {
  shim->pidfd.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this, weak = std::weak_ptr(shim)](const boost::system::error_code& error) {
                           if (const auto gone = weak.lock(); gone && !error) OnShimGone(gone);
                         });
}

void Launcher::AwaitStatus(const std::shared_ptr<LiveShim>& shim) {
  shim->channel.async_wait(asio::posix::stream_descriptor::wait_read,
                           [this, weak = std::weak_ptr(shim)](const boost::system::error_code& error) {
                             if (const auto done = weak.lock(); done && !error && done->channel.is_open()) OnStatus(done);
                           });
}

void Launcher::OnStatus(const std::shared_ptr<LiveShim>& shim) {
  const auto status = TryReceiveStatus(shim->channel.native_handle());
  if (!status || !shim->job) {
    shim->channel.close();  // it ends, and its exit status tells
    return;
  }
  const JobKey key = *shim->job;
  Forget(key);
  shim->job.reset();
  shim->policy == policy_number_ ? pool_.Keep(shim) : pool_.Dismiss(shim);
  TellEnd(key, *status);
}

void Launcher::OnShimGone(const std::shared_ptr<LiveShim>& shim) {
  int status = 0;
  const bool ended = shim->own_child && ::waitpid(shim->pid, &status, 0) == shim->pid && WIFEXITED(status);
  if (shim->channel.is_open()) shim->channel.close();
  if (!shim->job) return pool_.Remove(*shim);
  const JobKey key = *shim->job;
  if (ended) {
    Forget(key);
    return TellEnd(key, WEXITSTATUS(status));
  }
  // Killed, or another launcher's child, whose status we cannot have: there may be something left.
  SweepThen(key, [this, key] {
    // Before the answer to a sweep: that there was a shim tells that its job may have begun.
    SendToServer(ShimExited{key});
    Forget(key);
  });
}

void Launcher::TellEnd(JobKey key, int status) {
  if (status == kShimRecorded) return SendToServer(ShimExited{key});
  const auto error = status == EEXIST ? base::Error(base::Code::kAlreadyExists, "this attempt has begun before")
                                      : base::SysError(StepText(Step::kLock), status);
  Refuse(key, error, IsPassing(status), false);
}

void Launcher::Forget(JobKey key) {
  const auto it = shims_.find(key);
  if (it == shims_.end()) return;
  const std::shared_ptr<LiveShim> shim = std::move(it->second);
  shims_.erase(it);
  shim->backstop.reset();
  shim->untaken.reset();
  shim->unsent = 0;
  shim->unsent_cancel.reset();
  shim->cancel_asked = shim->killed_first = false;
  if (const auto owner = std::exchange(shim->owner, std::nullopt)) count_.Remove(*owner);
  const auto uid = std::exchange(shim->uid, std::nullopt);
  if (uid && options_.uids) options_.uids->Release(*uid);
  if (std::exchange(shim->sweep_asked, false)) SendToServer(Swept{key});
}

void Launcher::SweepThen(JobKey key, std::function<void()> done) { sweeper_.Sweep(GroupOf(key), std::move(done)); }

template <typename Frame>
bool Launcher::KeepForLater(const Frame& frame) {
  const auto searched = searching_.find(frame.key);
  if (searched == searching_.end()) return false;
  if (searched->second.kept.size() < kMostKept) searched->second.kept.emplace_back(frame);
  return true;
}

void Launcher::Handle(const CancelJob& frame) {
  if (KeepForLater(frame)) return;
  const auto millis = std::clamp<base::Nanos>(frame.grace / base::kNanosPerMilli, 0, std::numeric_limits<int>::max());
  const auto it = shims_.find(frame.key);
  if (it == shims_.end()) return;
  LiveShim& shim = *it->second;
  // A shim that hangs would take what it hears later for the reason of an end that came before.
  const auto hung = IsHung(shim);
  const bool over = !shim.cancel_asked && hung.ok() && *hung && (shim.killed_first || HasJobEnded(shim.pid));
  if (!over) {
    shim.cancel_asked = true;
    SendToShim(frame.key, kCancelSignal, static_cast<int>(millis));
  }
  Enforce(it->second, kCancelMargin, millis * base::kNanosPerMilli + kCancelMargin);
}

void Launcher::Handle(const SignalJob& frame) {
  if (KeepForLater(frame)) return;
  if (frame.signal < 1 || frame.signal > 64) return;
  const auto it = shims_.find(frame.key);
  if (it != shims_.end()) return Forward(it->second, frame.signal);
  SendToShim(frame.key, kForwardSignal, frame.signal);
}

void Launcher::Forward(const std::shared_ptr<LiveShim>& shim, int signal) {
  // Of those before it has taken all, unless one waits.
  if (shim->untaken && !HasUntaken(shim->pid)) shim->untaken.reset();
  if (!shim->untaken) shim->untaken = std::make_unique<Untaken>(context_);
  if (shim->untaken->signals.size() >= kMostUntaken) return TellUnsent("a shim takes no signals: those beyond many are dropped");
  shim->untaken->signals.push_back(signal);
  SendToShim(*shim->job, kForwardSignal, signal);
  AwaitTaking(shim);
}

void Launcher::AwaitTaking(const std::shared_ptr<LiveShim>& shim) {
  shim->untaken->timer.expires_after(kTaking);
  shim->untaken->timer.async_wait([this, weak = std::weak_ptr(shim)](const boost::system::error_code& error) {
    if (const auto live = weak.lock(); live && !error && live->untaken) LookAtUntaken(live);
  });
}

void Launcher::LookAtUntaken(const std::shared_ptr<LiveShim>& shim) {
  if (!shim->job || !HasUntaken(shim->pid)) return shim->untaken.reset();
  Untaken& untaken = *shim->untaken;
  if (const auto hung = IsHung(*shim); hung.ok()) untaken.hung = *hung ? untaken.hung + 1 : 0;
  if (untaken.hung < kHungLooks) return AwaitTaking(shim);
  const auto group = options_.shim.driver->Open(GroupOf(*shim->job));
  if (!group.ok()) return hooks_.report("signalling a job whose shim hangs: " + group.error().message());
  for (const int signal : std::exchange(untaken.signals, {})) {
    // It is told before we look once more: whenever it goes on, one of us delivers the signal, and one alone.
    const bool first = signal == SIGKILL && EndsOfOurKill(*shim);
    shim->killed_first = shim->killed_first || first;
    SendToShim(*shim->job, kDeliveredSignal, first ? signal | kKilledFirst : signal);
    if (!HasUntaken(shim->pid)) continue;
    if (const auto sent = SignalJobOf(shim->pid, **group, signal); !sent.ok()) {
      hooks_.report("signalling a job whose shim hangs: " + sent.error().message());
    }
  }
}

void Launcher::SendToShim(JobKey key, int signal, int value, int failures) {
  const auto it = shims_.find(key);
  if (it == shims_.end()) return;
  siginfo_t info{};
  info.si_signo = signal;
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  const uint64_t meant = it->second->serial;
  info.si_value.sival_ptr = reinterpret_cast<void*>(meant << 32 | static_cast<uint32_t>(value));
  if (::syscall(SYS_pidfd_send_signal, it->second->pidfd.native_handle(), signal, &info, 0) == 0 || errno == ESRCH) return;
  // EAGAIN: too many signals wait for the shims' account. Whatever it is, a cancel that is lost would leave the job running.
  const auto error = base::SysError("signalling a shim", errno);
  if (failures == 0) TellUnsent(error.message() + "; it is tried again");
  if (failures == kMostFailures) return hooks_.report(error.message() + "; given up");
  const bool cancels = signal == kCancelSignal;
  LiveShim& shim = *it->second;
  if (cancels) {
    // One is enough: the one that leaves the least time.
    const bool waits = shim.unsent_cancel.has_value();
    shim.unsent_cancel = std::min(value, shim.unsent_cancel.value_or(value));
    if (waits) return;
  } else {
    // What we have delivered ourselves must be told, and is bounded by what was not taken.
    if (signal != kDeliveredSignal && shim.unsent >= kMostUnsent) return;
    ++shim.unsent;
  }
  auto timer = std::make_shared<asio::steady_timer>(context_, kSendAgain);
  timer->async_wait([=, this, weak = std::weak_ptr(it->second)](const boost::system::error_code& stopped) {
    (void)timer;  // lives until then
    const auto live = weak.lock();
    if (stopped || !live || live->job != key) return;
    if (!cancels && live->unsent > 0) --live->unsent;
    const int least = cancels ? std::exchange(live->unsent_cancel, std::nullopt).value_or(value) : value;
    SendToShim(key, signal, least, failures + 1);
  });
}

void Launcher::TellUnsent(std::string text) {
  if (const auto line = unsent_.Pass(std::move(text), std::chrono::steady_clock::now())) hooks_.report(*line);
}

}  // namespace jobd::launch
