// A launcher that starts nothing: the test says what becomes of each job, and it writes what a shim would.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "launch/contract/exit_file.h"
#include "launch/contract/log_index.h"
#include "worker/launcher/old_launcher.h"

namespace jobd::worker {

// What one job has written, and writes; the shim's side of the formats.
class FakeOutput {
 public:
  FakeOutput(int log_dir, std::string folder, uint32_t index) : log_dir_(log_dir), folder_(std::move(folder)), index_(index) {}

  void Write(launch::Stream stream, const std::string& data, base::Nanos time) {
    const std::string name = stream == launch::Stream::kOut ? launch::OutName(index_) : launch::ErrName(index_);
    const uint64_t offset = Append(name, data);
    const auto record = launch::EncodeIndex(
        {.time = time, .offset = offset, .length = static_cast<uint32_t>(data.size()), .stream = stream, .gap = false});
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

class FakeLauncher final : public OldLauncher {
 public:
  explicit FakeLauncher(int log_dir) : log_dir_(log_dir) {}

  void SetEvents(OldLauncherEvents* events) override {
    const std::lock_guard lock(mutex_);
    events_ = events;
  }
  base::Status Launch(const launch::LaunchRequest& request) override {
    {
      const std::lock_guard lock(mutex_);
      launched_.push_back(request);
      homes_[request.key] = request.owner + "/" + request.correlation_id;
      changed_.notify_all();
    }
    if (run_at_once_) {
      Running(request.key);
      Exit(request.key, base::ExitStatus::Exited(0));
    }
    return base::Ok();
  }
  base::Status Watch(launch::JobKey key, const std::string& owner, const std::string& correlation_id) override {
    const std::lock_guard lock(mutex_);
    homes_[key] = owner + "/" + correlation_id;
    watched_.push_back(key);
    changed_.notify_all();
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
    signals_.emplace_back(key, signal);
    return base::Ok();
  }
  base::Status Sweep(launch::JobKey key) override {
    if (on_sweep_) on_sweep_(key);
    OldLauncherEvents* events = nullptr;
    {
      const std::lock_guard lock(mutex_);
      swept_.push_back(key);
      events = events_;
      changed_.notify_all();
    }
    if (events != nullptr) events->OnSwept(key);
    return base::Ok();
  }
  base::Status Reconciled() override { return base::Ok(); }
  base::Status Alive() override {
    const std::lock_guard lock(mutex_);
    ++alive_;
    changed_.notify_all();
    return base::Ok();
  }
  // Asks for a sign of life, and waits for it.
  void PingAndWait() {
    std::unique_lock lock(mutex_);
    const size_t before = alive_;
    OldLauncherEvents* const events = events_;
    lock.unlock();
    events->OnPing();
    lock.lock();
    changed_.wait(lock, [&] { return alive_ > before; });
  }

  // Every job runs and exits 0 as soon as it is launched.
  void RunAtOnce() { run_at_once_ = true; }

  // Called before a sweep is answered.
  void OnSweep(std::function<void(launch::JobKey)> on_sweep) { on_sweep_ = std::move(on_sweep); }

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
  std::vector<launch::JobKey> swept() {
    const std::lock_guard lock(mutex_);
    return swept_;
  }
  std::vector<launch::JobKey> watched() {
    const std::lock_guard lock(mutex_);
    return watched_;
  }
  size_t cancelled() {
    const std::lock_guard lock(mutex_);
    return cancelled_.size();
  }
  std::vector<std::pair<launch::JobKey, int>> signals() {
    const std::lock_guard lock(mutex_);
    return signals_;
  }

  void Running(launch::JobKey key) {
    Slot(key, {.phase = launch::Phase::kRunning, .attempt = key.attempt, .started_at = kStarted});
  }
  void End(launch::JobKey key, launch::SlotRecord record) {
    record.phase = launch::Phase::kEnded;
    record.attempt = key.attempt;
    if (record.started_at == 0) record.started_at = kStarted;
    if (record.ended_at == 0) record.ended_at = kStarted + 5;
    Slot(key, record);
    Gone(key);
  }
  void Exit(launch::JobKey key, base::ExitStatus exit, launch::EndCause cause = launch::EndCause::kSelf) {
    End(key, {.cause = cause, .exit = exit});
  }
  void Gone(launch::JobKey key) {
    OldLauncherEvents* events = nullptr;
    {
      const std::lock_guard lock(mutex_);
      events = events_;
    }
    if (events != nullptr) events->OnShimExited(key);
  }
  void Refuse(launch::Refused refused) {
    const std::lock_guard lock(mutex_);
    if (events_ != nullptr) events_->OnRefused(std::move(refused));
  }
  void Slot(launch::JobKey key, const launch::SlotRecord& record) {
    std::string home;
    {
      const std::lock_guard lock(mutex_);
      home = homes_[key];
    }
    WriteSlot(log_dir_, home, key.index, record);
  }
  static void WriteSlot(int log_dir, const std::string& folder, uint32_t index, const launch::SlotRecord& record) {
    const base::Fd file(::openat(log_dir, (folder + "/" + launch::kExitFileName).c_str(), O_WRONLY | O_CLOEXEC));
    (void)base::PwriteAll(file.get(), launch::EncodeSlot(record), launch::SlotOffset(index));
  }

  static constexpr base::Nanos kStarted = 1'700'000'000ll * base::kNanosPerSecond;

 private:
  const int log_dir_;
  bool run_at_once_ = false;
  std::function<void(launch::JobKey)> on_sweep_;
  std::mutex mutex_;
  std::condition_variable changed_;
  OldLauncherEvents* events_ = nullptr;
  size_t alive_ = 0;
  std::map<launch::JobKey, std::string> homes_;
  std::vector<launch::LaunchRequest> launched_;
  std::vector<launch::JobKey> watched_;
  std::vector<launch::JobKey> swept_;
  std::vector<std::pair<launch::JobKey, base::Nanos>> cancelled_;
  std::vector<std::pair<launch::JobKey, int>> signals_;
};

}  // namespace jobd::worker
