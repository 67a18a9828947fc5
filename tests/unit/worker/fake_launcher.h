// A launcher that starts nothing: the test says what becomes of each attempt.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/files.h"
#include "launch/contract/exit_file.h"
#include "launch/contract/log_index.h"
#include "tests/unit/worker/test_capabilities.h"
#include "worker/launcher/launcher.h"
#include "worker/model/outcome.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {

// What one job has written, and writes; the shim's side of the formats.
class FakeOutput {
 public:
  FakeOutput(int log_dir, std::string folder, uint32_t index) : log_dir_(log_dir), folder_(std::move(folder)), index_(index) {}

  void Write(launch::Stream stream, const std::string& data, base::Nanos time, bool gathered = false) {
    const std::string name = stream == launch::Stream::kOut ? launch::OutName(index_) : launch::ErrName(index_);
    const uint64_t offset = Append(name, data);
    const auto record = launch::EncodeIndex({.time = time,
                                             .offset = offset,
                                             .length = static_cast<uint32_t>(data.size()),
                                             .stream = stream,
                                             .gap = false,
                                             .gathered = gathered});
    Append(launch::IndexName(index_), std::string(reinterpret_cast<const char*>(record.data()), record.size()));
  }
  void Gap(launch::Stream stream, uint64_t offset, uint32_t length, base::Nanos time) {
    const auto record = launch::EncodeIndex({.time = time, .offset = offset, .length = length, .stream = stream, .gap = true});
    Append(launch::IndexName(index_), std::string(reinterpret_cast<const char*>(record.data()), record.size()));
  }
  // Bytes of no meaning at the end of a file: of a stream without its record, or of the index.
  uint64_t Append(const std::string& name, const std::string& data) {
    const base::Fd file(::openat(log_dir_, (folder_ + "/" + name).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
    struct stat about {};
    ::fstat(file.get(), &about);
    (void)base::WriteAll(file.get(), data);
    return static_cast<uint64_t>(about.st_size);
  }

 private:
  int log_dir_;
  std::string folder_;
  uint32_t index_;
};

// What became of an attempt while no worker looked.
struct FakeRuns {};                                                                   // it runs
struct FakeNeverBegan {};                                                             // it was not started
using FakeFate = std::variant<FakeNeverBegan, FakeRuns, launch::SlotRecord, Reason>;  // ended so, or is lost for that reason

// Thread-safe. What the test says comes as events on the loop, in the order in which it was said. With no worker attached it is not
// heard.
class FakeLauncher final : public Launcher {
 public:
  explicit FakeLauncher(int log_dir) : log_dir_(log_dir) {}

  void Attach(LauncherEvents& events, LauncherLoop& loop) override {
    const std::lock_guard lock(mutex_);
    events_ = &events;
    loop_ = &loop;
  }
  void Detach() override {
    const std::lock_guard lock(mutex_);
    events_ = nullptr;
    loop_ = nullptr;
  }
  launch::Capabilities Capabilities() const override {
    const std::lock_guard lock(mutex_);
    return capabilities_;
  }
  void UseCapabilities(launch::Capabilities capabilities) {
    const std::lock_guard lock(mutex_);
    capabilities_ = std::move(capabilities);
  }

  // The folder, for what jobs write, and in it the file that the launcher of this machine has there. Nobody writes into it.
  void Open(const BatchPlace& place, std::function<void(base::Status)> done) override {
    const std::lock_guard lock(mutex_);
    loop_->OnLogDisk([this, place, done = std::move(done), loop = loop_] {
      {
        std::unique_lock waiting(mutex_);
        ++opening_;
        changed_.notify_all();
        changed_.wait(waiting, [this] { return !log_disk_hangs_; });
      }
      loop->Post([done, status = OpenNow(place)] { done(status); });
    });
  }
  base::Status OpenNow(const BatchPlace& place) {
    JOBD_ASSIGN_OR_RETURN(const base::Fd folder, MakeBatchFolder(log_dir_, place.name));
    JOBD_RETURN_IF_ERROR(launch::OpenExitFile(folder.get(), place.job_count));
    const std::lock_guard lock(mutex_);
    open_.insert(place.batch);
    return base::Ok();
  }
  void Close(uint64_t batch) override {
    const std::lock_guard lock(mutex_);
    open_.erase(batch);
  }
  base::Status Start(const launch::LaunchRequest& request) override {
    {
      const std::lock_guard lock(mutex_);
      if (!open_.contains(request.key.batch)) ADD_FAILURE() << "a start in a batch that is not open";
      launched_.push_back(request);
      changed_.notify_all();
    }
    if (run_at_once_) {
      Running(request.key);
      Exit(request.key, base::ExitStatus::Exited(0));
    }
    return base::Ok();
  }
  base::Status Cancel(launch::JobKey key, base::Nanos grace) override {
    const std::lock_guard lock(mutex_);
    cancelled_.emplace_back(key, grace);
    changed_.notify_all();
    return base::Ok();
  }
  base::Status Signal(launch::JobKey key, int signal) override {
    const std::lock_guard lock(mutex_);
    if (!running_.contains(key)) return base::Error(base::Code::kFailedPrecondition, "it has no program");
    signals_.emplace_back(key, signal);
    return base::Ok();
  }
  void KeepReason(const BatchPlace&, std::vector<launch::JobKey> attempts, const Reason& why) override {
    const std::lock_guard lock(mutex_);
    for (const launch::JobKey& key : attempts) kept_reasons_.emplace(key, why);
    changed_.notify_all();
  }
  std::optional<Reason> KeptReason(const BatchPlace&, launch::JobKey key) override {
    const std::lock_guard lock(mutex_);
    const auto kept = kept_reasons_.find(key);
    return kept == kept_reasons_.end() ? std::nullopt : std::optional(kept->second);
  }
  void CancelPastLoop(launch::JobKey key, base::Nanos grace) override { (void)Cancel(key, grace); }
  void SignalPastLoop(launch::JobKey key, int signal) override { (void)Signal(key, signal); }
  base::Status Recover(const std::vector<Earlier>& attempts, bool host_restarted) override {
    for (const Earlier& earlier : attempts) RecoverOne(earlier, host_restarted);
    return recovery_;
  }
  base::Status Alive() override {
    const std::lock_guard lock(mutex_);
    ++alive_;
    changed_.notify_all();
    return base::Ok();
  }

  std::string FindProblem() override { return {}; }

  // Before a worker is attached: what it is told of this attempt, if it asks. Else that it never began, or by a new boot was lost.
  void LeaveBehind(launch::JobKey key, FakeFate fate) { fates_[key] = std::move(fate); }
  void FailRecovery(base::Error error) { recovery_ = std::move(error); }

  // Asks for a sign of life, and waits for it.
  void PingAndWait() {
    std::unique_lock lock(mutex_);
    const size_t before = alive_;
    loop_->Post([events = events_] { events->OnPing(); });
    changed_.wait(lock, [&] { return alive_ > before; });
  }

  // While it hangs, no batch is opened.
  void HangLogDisk(bool hangs) {
    const std::lock_guard lock(mutex_);
    log_disk_hangs_ = hangs;
    changed_.notify_all();
  }
  // Waits until so many were to be opened.
  void WaitOpening(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return opening_ >= count; });
  }

  // Every job runs and exits 0 as soon as it is started.
  void RunAtOnce() { run_at_once_ = true; }

  // Waits until this many jobs were launched, and gives the last of them.
  launch::LaunchRequest WaitLaunched(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return launched_.size() >= count; });
    return launched_[count - 1];
  }
  size_t launched() {
    const std::lock_guard lock(mutex_);
    return launched_.size();
  }
  launch::JobKey WaitCancelled(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return cancelled_.size() >= count; });
    return cancelled_[count - 1].first;
  }
  std::vector<Earlier> recovered() {
    const std::lock_guard lock(mutex_);
    return recovered_;
  }
  // Waits until so many attempts' reasons were kept, and gives all: for the launcher of a later process.
  std::map<launch::JobKey, Reason> WaitKeptReasons(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return kept_reasons_.size() >= count; });
    return kept_reasons_;
  }
  void UseKeptReasons(std::map<launch::JobKey, Reason> reasons) { kept_reasons_ = std::move(reasons); }
  size_t cancelled() {
    const std::lock_guard lock(mutex_);
    return cancelled_.size();
  }
  std::vector<std::pair<launch::JobKey, int>> signals() {
    const std::lock_guard lock(mutex_);
    return signals_;
  }

  void Running(launch::JobKey key) {
    const std::lock_guard lock(mutex_);
    running_.insert(key);
    Tell([key](LauncherEvents& events) { events.OnStarted(key, kStarted); });
  }
  // It is over, and the launcher still has something of it.
  void Ended(launch::JobKey key, launch::SlotRecord record) {
    const std::lock_guard lock(mutex_);
    running_.erase(key);
    Tell([key, record = Whole(key, record)](LauncherEvents& events) { events.OnEnded(key, record); });
  }
  void Release(launch::JobKey key) {
    const std::lock_guard lock(mutex_);
    Tell([key](LauncherEvents& events) { events.OnReleased(key); });
  }
  void End(launch::JobKey key, launch::SlotRecord record) {
    Ended(key, record);
    Release(key);
  }
  void Exit(launch::JobKey key, base::ExitStatus exit, launch::EndCause cause = launch::EndCause::kSelf) {
    End(key, {.cause = cause, .exit = exit});
  }
  void NotStarted(launch::JobKey key, LauncherEvents::NotStarted why) {
    {
      const std::lock_guard lock(mutex_);
      Tell([key, why = std::move(why)](LauncherEvents& events) { events.OnNotStarted(key, why); });
    }
    Release(key);
  }
  void Lose(launch::JobKey key, Reason why) {
    {
      const std::lock_guard lock(mutex_);
      running_.erase(key);
      Tell([key, why = std::move(why)](LauncherEvents& events) { events.OnLost(key, why); });
    }
    Release(key);
  }

  static constexpr base::Nanos kStarted = 1'700'000'000ll * base::kNanosPerSecond;

 private:
  static launch::SlotRecord Whole(launch::JobKey key, launch::SlotRecord record) {
    record.phase = launch::Phase::kEnded;
    record.attempt = key.attempt;
    if (record.started_at == 0) record.started_at = kStarted;
    if (record.ended_at == 0) record.ended_at = kStarted + 5;
    return record;
  }
  // The lock is held.
  void Tell(std::function<void(LauncherEvents&)> tell) {
    if (loop_ != nullptr) loop_->Post([events = events_, tell = std::move(tell)] { tell(*events); });
  }
  void RecoverOne(const Earlier& earlier, bool host_restarted) {
    {
      const std::lock_guard lock(mutex_);
      recovered_.push_back(earlier);
    }
    const launch::JobKey key = earlier.key;
    const auto known = fates_.find(key);
    FakeFate fate = known != fates_.end() ? known->second : host_restarted ? FakeFate(HostRestarted()) : FakeFate(FakeNeverBegan{});
    if (std::holds_alternative<FakeRuns>(fate)) {
      {
        const std::lock_guard lock(mutex_);
        running_.insert(key);
      }
      events_->OnStarted(key, kStarted);
      if (earlier.stopping) (void)Cancel(key, earlier.grace);
      return;
    }
    if (const auto* record = std::get_if<launch::SlotRecord>(&fate)) events_->OnEnded(key, Whole(key, *record));
    if (const auto* why = std::get_if<Reason>(&fate)) events_->OnLost(key, *why);
    if (std::holds_alternative<FakeNeverBegan>(fate)) events_->OnNotStarted(key, {.retryable = true, .text = "restarted"});
    events_->OnReleased(key);
  }

  const int log_dir_;
  bool run_at_once_ = false;
  base::Status recovery_ = base::Ok();
  std::map<launch::JobKey, FakeFate> fates_;
  mutable std::mutex mutex_;
  launch::Capabilities capabilities_ = TestCapabilities();
  std::condition_variable changed_;
  LauncherEvents* events_ = nullptr;  // guarded by mutex_, as are the rest; events are called without it
  LauncherLoop* loop_ = nullptr;
  size_t alive_ = 0;
  size_t opening_ = 0;
  bool log_disk_hangs_ = false;
  std::set<uint64_t> open_;
  std::set<launch::JobKey> running_;
  std::vector<launch::LaunchRequest> launched_;
  std::vector<Earlier> recovered_;
  std::vector<std::pair<launch::JobKey, base::Nanos>> cancelled_;
  std::vector<std::pair<launch::JobKey, int>> signals_;
  std::map<launch::JobKey, Reason> kept_reasons_;
};

}  // namespace jobd::worker
