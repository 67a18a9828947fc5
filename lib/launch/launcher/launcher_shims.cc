// The launcher towards its shims: watching, adopting, steering, and sweeping up.
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
#include "launch/contract/step.h"
#include "launch/launcher/adoption.h"
#include "launch/launcher/launcher.h"
#include "launch/shim/assignment.h"

namespace jobd::launch {

namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kSearchAgain{1};
constexpr size_t kMostKept = 64;  // signals for a shim that is being searched for

}  // namespace

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
  auto shim = std::make_shared<LiveShim>(context_);
  shim->pid = found->pid;
  shim->job = frame.key;
  shim->pidfd.assign(found->pidfd.release());
  if (found->job_uid) {
    uids_.Mark(*found->job_uid);
    shim->uid = found->job_uid;
  }
  AwaitShim(shim);
  shims_.emplace(frame.key, std::move(shim));
  if (kept.empty()) return;
  for (const auto& [signal, value] : kept.mapped()) SendToShim(frame.key, signal, value);
}

// Without descriptors or memory we cannot tell whether the shim lives. A job must not end for that.
void Launcher::WatchLater(const Watch& frame) {
  searching_.try_emplace(frame.key);
  auto timer = std::make_shared<asio::steady_timer>(context_, kSearchAgain);
  timer->async_wait([this, timer, frame](const boost::system::error_code& error) {
    if (!error && searching_.contains(frame.key)) Handle(frame);
  });
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
    Forget(key);
    SendToServer(ShimExited{key});
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
  if (shim->uid) uids_.Release(*std::exchange(shim->uid, std::nullopt));
  if (std::exchange(shim->sweep_asked, false)) SendToServer(Swept{key});
}

void Launcher::Handle(const Sweep& frame) {
  const auto it = shims_.find(frame.key);
  if (it != shims_.end()) {
    // The server looked before this shim had locked its slot, or just after it had died. If it lives, so may its job: the answer
    // waits until it is gone.
    it->second->sweep_asked = true;
    return;
  }
  SweepThen(frame.key, [this, key = frame.key] { SendToServer(Swept{key}); });
}

void Launcher::SweepThen(JobKey key, std::function<void()> done) { sweeper_.Sweep(GroupOf(key), std::move(done)); }

void Launcher::Handle(const Reconciled& /*frame*/) {
  std::vector<std::string> live;
  for (const auto& [key, shim] : shims_) live.push_back(GroupOf(key));
  for (const auto& [key, signals] : searching_) live.push_back(GroupOf(key));
  for (const std::string& name : options_.shim.driver->List()) {
    if (std::find(live.begin(), live.end(), name) != live.end()) continue;
    if (sweeper_.IsSweeping(name)) continue;
    hooks_.report("removing what is left of an unknown job: " + name);
    sweeper_.Sweep(name, [] {});
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
  const uint64_t meant = it->second->serial;
  info.si_value.sival_ptr = reinterpret_cast<void*>(meant << 32 | static_cast<uint32_t>(value));
  if (::syscall(SYS_pidfd_send_signal, it->second->pidfd.native_handle(), signal, &info, 0) != 0 && errno != ESRCH) {
    hooks_.report(base::SysError("signalling a shim", errno).message());
  }
}

}  // namespace jobd::launch
