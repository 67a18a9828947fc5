#include "launch/shim/job_run.h"

#include <malloc.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "base/files.h"
#include "launch/process/child.h"
#include "launch/shim/spawn.h"

namespace jobd::launch {

namespace {

base::Result<base::Fd> OpenSignals(bool children) {
  sigset_t mask;
  ::sigemptyset(&mask);
  ::sigaddset(&mask, kCancelSignal);
  ::sigaddset(&mask, kForwardSignal);
  ::sigaddset(&mask, kDeliveredSignal);
  if (children) ::sigaddset(&mask, SIGCHLD);
  base::Fd fd(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return base::SysError("making a signalfd", errno);
  return fd;
}

// Reaps what the job left to us, but not the job's own process; 0: that is reaped already.
void ReapOrphans(pid_t job) {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0 || info.si_pid == job) return;
    ::waitpid(info.si_pid, nullptr, 0);
  }
}

// Returns the memory that starting the job took: freed blocks, and the stack below us, which is not in use. Thousands of shims may
// sleep for days.
void GiveBackMemory() {
  ::malloc_trim(0);
  constexpr uintptr_t kPage = 4096;
  constexpr uintptr_t kDepth = 128 * 1024;  // deeper than anything here or in the launcher goes
  constexpr uintptr_t kInUse = 4096;        // this function's own and the calls it makes
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  const uintptr_t end = (here - kInUse) / kPage * kPage;
  // Pages that were never touched make this say ENOMEM, having done the others.
  ::madvise(reinterpret_cast<void*>(end - kDepth), kDepth, MADV_DONTNEED);
}

// Descriptors and memory come back.
constexpr int kTryAgainMillis = 100;
constexpr int kMostFailures = 20;  // then a signal that was forwarded is given up: whoever sent it can send another
bool IsPassing(const base::Status& status) { return !status.ok() && status.error().code() == base::Code::kResourceExhausted; }

// How long an unused read buffer, and what is left of the start, keep their memory.
constexpr base::Nanos kIdleAfter = 20 * base::kNanosPerMilli;

uint64_t Micros(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

}  // namespace

JobRun::JobRun(const ShimContext& context, const Assignment& job, const sandbox::Profile& profile, int batch_dir, ExitSlot& slot)
    : context_(context),
      serial_(job.serial),
      request_(job.request),
      identity_(job.identity),
      profile_(profile),
      slot_(slot),
      log_(batch_dir, context.log_owner, request_.key.index, request_.key.attempt, request_.limits.output_bytes) {
  record_.attempt = request_.key.attempt;
  record_.shim_pid = static_cast<uint32_t>(::getpid());
  record_.boot = context.boot;
}

void JobRun::Run() {
  // Written before anything could start the job: an attempt without a record may be started again.
  record_.phase = Phase::kBorn;
  record_.deadline = request_.timeout > 0 ? clock_.Monotonic() + request_.timeout : kNoDeadline;
  record_.kill_after = request_.kill_after;
  auto status = slot_.Write(record_);
  if (!status.ok()) {
    (void)Failed(Step::kExitRecord, std::move(status).error());
  } else if (Start().ok()) {
    Loop();
  }
  End();
}

bool JobRun::Clean() {
  if (!removed_) return false;
  // A user namespace is entered for good.
  if (profile_.namespaces && (context_.isolation->user_namespace(profile_) >= 0 || !init_.Leave().ok())) return false;
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
}

base::Status JobRun::Failed(Step step, base::Error error) {
  record_.cause = EndCause::kSetupFailed;
  record_.step = step;
  record_.step_errno = error.sys_errno();
  return error;
}

base::Status JobRun::Start() {
  auto input = MakeStdin(request_.stdin_data);
  if (!input.ok()) return Failed(Step::kStdin, std::move(input).error());

  Capture::Pipes pipes;
  auto capture = Capture::Create(log_, pipes);
  if (!capture.ok()) return Failed(Step::kPipes, std::move(capture).error());
  capture_.emplace(std::move(capture).value());
  // So that the job can open them by name, as /dev/stderr.
  for (const base::Fd* pipe : {&pipes.out, &pipes.err}) {
    if (identity_.switch_user && ::fchown(pipe->get(), identity_.uid, identity_.gid) != 0) {
      return Failed(Step::kPipes, base::SysError("giving the pipes to the job's user", errno));
    }
  }

  const std::string name = sandbox::GroupName(request_.key.batch, request_.key.index, request_.key.attempt);
  auto group = context_.driver->Create(name, GroupLimitsOf(request_.limits));
  if (!group.ok()) return Failed(Step::kCgroup, std::move(group).error());
  group_ = std::move(group).value();

  // Without a pid namespace, whose first process reaps them, orphans would be left to the machine's: until it gets to them, which
  // in a container may be late, those of a job that left a thousand hold a thousand pids that others need.
  if (::prctl(PR_SET_CHILD_SUBREAPER, profile_.namespaces ? 0 : 1) != 0) {
    return Failed(Step::kClone, base::SysError("becoming a subreaper", errno));
  }
  auto signals = OpenSignals(!profile_.namespaces || group_->adopts_orphans());
  if (!signals.ok()) return Failed(Step::kClone, std::move(signals).error());
  signals_ = std::move(signals).value();

  if (profile_.namespaces) {
    auto first = init_.Start(context_.isolation->user_namespace(profile_));
    if (!first.ok()) return Failed(Step::kNamespaces, std::move(first).error());
  }
  const SpawnFds stdio{.in = input->get(), .out = pipes.out.get(), .err = pipes.err.get()};
  auto spawned = Spawn(context_, request_, identity_, profile_, *group_, stdio);
  if (!spawned.ok()) return Failed(Step::kClone, std::move(spawned).error());
  pid_ = spawned->pid;
  pidfd_ = std::move(spawned->pidfd);
  report_ = std::move(spawned->report);
  plan_ = std::move(spawned->plan);
  record_.job_pid = static_cast<uint32_t>(pid_);
  return base::Ok();
}

void JobRun::Loop() {
  for (;;) {
    const auto pipes = capture_->PollSet();
    std::array<pollfd, 5> sources{
        {pipes[0], pipes[1], {report_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}, {pidfd_.get(), POLLIN, 0}}};
    if (!Wait(sources)) continue;
    if (sources[2].revents != 0) OnReport();
    if (sources[3].revents != 0) OnSignals();
    capture_->Read({sources[0], sources[1]}, clock_);
    log_.Settle(clock_.Monotonic());
    if (sources[4].revents != 0) return;
    ForwardAgain();
    Stop();
  }
}

bool JobRun::Wait(std::span<pollfd> sources) {
  std::optional<base::Nanos> left;
  if (const auto next = schedule_.Next()) left = std::max<base::Nanos>(*next - clock_.Monotonic(), 0);
  // Nothing is given back while the job's process may still be using our memory.
  const bool holds_memory = !plan_ && (!settled_ || capture_->holds_memory());
  if (holds_memory) left = std::min(left.value_or(kIdleAfter), kIdleAfter);
  if (const auto due = log_.due()) {
    const base::Nanos until = std::max<base::Nanos>(*due - clock_.Monotonic(), 0);
    left = std::min(left.value_or(until), until);
  }
  if (!unsent_.empty()) {
    const base::Nanos until = std::max<base::Nanos>(send_again_at_ - clock_.Monotonic(), 0);
    left = std::min(left.value_or(until), until);
  }
  timespec timeout{};
  if (left) timeout = {.tv_sec = *left / base::kNanosPerSecond, .tv_nsec = *left % base::kNanosPerSecond};
  const bool sends_again = !unsent_.empty();
  const int ready = ::ppoll(sources.data(), sources.size(), left ? &timeout : nullptr, nullptr);
  if (ready > 0) return true;
  ForwardAgain();
  if (ready == 0 && log_.due()) {
    log_.Settle(clock_.Monotonic());
    Stop();
  } else if (ready == 0 && sends_again) {
    Stop();
  } else if (ready == 0) {
    capture_->Idle();
    if (!std::exchange(settled_, true)) GiveBackMemory();
    Stop();
  }
  return false;
}

void JobRun::OnReport() {
  ChildReport report;
  const ssize_t n = ::read(report_.get(), &report, sizeof report);
  report_.reset();
  if (n == sizeof report) {
    // The plan stays: the process that has told us so still runs on its stack.
    record_.cause = EndCause::kSetupFailed;
    record_.step = static_cast<Step>(report.step);
    record_.step_errno = report.error;
    return;
  }
  plan_.reset();
  started_ = clock_.Monotonic();
  record_.started_at = clock_.Realtime();
  record_.phase = Phase::kRunning;
  if (request_.timeout > 0) record_.deadline = started_ + request_.timeout;
  schedule_.Started(started_, request_.timeout, request_.kill_after);
  (void)slot_.Write(record_);  // only the server's view depends on it, and ENDED will tell all
}

void JobRun::OnSignals() {
  signalfd_siginfo info;
  std::multiset<int> delivered;  // of what waits now
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    const auto signal = static_cast<int>(info.ssi_signo);
    const auto meant = static_cast<uint32_t>(info.ssi_ptr >> 32);
    if (signal != SIGCHLD && meant != 0 && meant != serial_) continue;  // a job before this one
    if (signal == kCancelSignal) {
      schedule_.Cancel(clock_.Monotonic(), std::max(info.ssi_int, 0) * base::kNanosPerMilli);
    } else if (signal == kDeliveredSignal) {
      killed_first_ = killed_first_ || (info.ssi_int & kKilledFirst) != 0;
      delivered.insert(info.ssi_int & ~kKilledFirst);
    } else if (signal == kForwardSignal) {
      if (const auto done = delivered.find(info.ssi_int); done != delivered.end()) {
        delivered.erase(done);
        continue;
      }
      if (record_.phase == Phase::kRunning) Forward(info.ssi_int);
    } else {
      ReapOrphans(pid_);
    }
  }
}

void JobRun::Forward(int signal) {
  // It ends of that, sooner or later: its process may wait for a disk as well.
  killed_first_ = killed_first_ || (signal == SIGKILL && schedule_.cause() == EndCause::kSelf);
  // The session's leader is not reaped yet, so its group's number cannot mean another.
  if (::kill(-pid_, signal) == 0 || errno == ESRCH || errno == EINVAL) return;
  if (unsent_.empty()) send_again_at_ = clock_.Monotonic() + kTryAgainMillis * base::kNanosPerMilli;
  unsent_.push_back({.signal = signal});
}

void JobRun::ForwardAgain() {
  if (unsent_.empty() || clock_.Monotonic() < send_again_at_) return;
  send_again_at_ = clock_.Monotonic() + kTryAgainMillis * base::kNanosPerMilli;
  std::erase_if(
      unsent_, [this](Unsent& one) { return ::kill(-pid_, one.signal) == 0 || errno == ESRCH || ++one.failures == kMostFailures; });
}

void JobRun::Stop() {
  for (;;) {
    const StopSchedule::Action due = schedule_.Due(clock_.Monotonic());
    auto done = base::Ok();
    switch (due) {
      case StopSchedule::Action::kNone: return;
      case StopSchedule::Action::kTerminate:
        done = group_->Signal(SIGTERM);
        // What is stopped would take the signal only when it goes on.
        if (done.ok()) done = group_->Signal(SIGCONT);
        break;
      case StopSchedule::Action::kKill:
        // Its own process first: it may not be in the group yet.
        if (::kill(pid_, SIGKILL) != 0 && errno != ESRCH) done = base::SysError("killing the job's process", errno);
        if (auto killed = group_->Kill(); !killed.ok()) done = std::move(killed);
        break;
    }
    if (!done.ok()) schedule_.Retry(due, clock_.Monotonic(), IsPassing(done));
  }
}

void JobRun::End() {
  if (pid_ != 0) {
    int status = 0;
    pid_t ended = 0;
    do {
      ended = ::wait4(pid_, &status, 0, &usage_);
    } while (ended < 0 && errno == EINTR);
    if (ended == pid_) {
      record_.exit = base::ExitStatus::FromWait(status);
    } else if (record_.cause == EndCause::kSelf) {
      // Nobody knows how it ended, which is not to say that it ended well.
      record_.cause = EndCause::kShimError;
      record_.step_errno = errno;
    }
    if (report_) OnReport();  // the program was executed and over before we looked, or a step failed
  }
  // The launcher kills at the deadline where we could not, for want of a disk that answers: the reason is the same.
  if (record_.exit == base::ExitStatus::Signaled(SIGKILL) && !killed_first_) (void)schedule_.Due(clock_.Monotonic());
  record_.ended_at = clock_.Realtime();
  record_.wall = started_ != 0 ? clock_.Monotonic() - started_ : 0;
  // Processes that a job leaves behind do not outlive it: those of its pid namespace end with it, and those of its group are
  // killed.
  init_.End();
  if (group_) EmptyGroup();
  if (capture_) capture_->Drain(clock_);
  log_.Finish(clock_.Realtime());
  record_.phase = Phase::kEnded;
  record_.stdout_bytes = log_.kept(Stream::kOut);
  record_.stderr_bytes = log_.kept(Stream::kErr);
  record_.dropped_bytes = log_.dropped();
  record_.flags |= log_.cut() ? kFlagOutputCut : 0;
  record_.flags |= log_.disk_error() ? kFlagLogDiskError : 0;
  // When the record cannot be written the attempt reads as cut off, which it then is. Trying for ever would hold the job's slot.
  (void)slot_.Write(record_);
}

void JobRun::EmptyGroup() {
  auto usage = group_->Usage();
  auto removed = group_->Remove();
  if (!removed.ok() && removed.error().code() == base::Code::kFailedPrecondition) {
    // Nobody else would: our end says that nothing is left.
    while (!group_->KillAndWait().ok()) (void)::poll(nullptr, 0, kTryAgainMillis);
    ReapOrphans(0);  // those that were late for this go to the machine's first process, with our end
    usage = group_->Usage();
    removed = group_->Remove();
  }
  removed_ = removed.ok();
  CollectUsage(usage);
}

void JobRun::CollectUsage(const sandbox::GroupUsage& group) {
  const rusage& own = usage_;
  // The group also counts processes whose parents did not wait for them.
  record_.user_cpu_us = group.user_cpu_us.value_or(Micros(own.ru_utime));
  record_.system_cpu_us = group.system_cpu_us.value_or(Micros(own.ru_stime));
  record_.peak_memory = group.peak_memory.value_or(static_cast<uint64_t>(own.ru_maxrss) * 1024);
  record_.read_bytes = static_cast<uint64_t>(own.ru_inblock) * 512;
  record_.written_bytes = static_cast<uint64_t>(own.ru_oublock) * 512;
  record_.voluntary_switches = static_cast<uint64_t>(own.ru_nvcsw);
  record_.involuntary_switches = static_cast<uint64_t>(own.ru_nivcsw);
  if (group.pids_limit_hit) record_.flags |= kFlagPidsLimitHit;
  if (group.memory_limit_hit && record_.cause == EndCause::kSetupFailed) record_.flags |= kFlagMemoryLimitHit;
  if (record_.cause != EndCause::kSelf) return;
  if (!killed_first_) record_.cause = schedule_.cause();
  // A job may lose a process to its memory limit and still end well.
  if (record_.cause == EndCause::kSelf && group.oom_killed && !record_.exit.success()) record_.cause = EndCause::kMemoryLimit;
}

}  // namespace jobd::launch
