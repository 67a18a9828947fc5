// A worker that remembers what it was asked and runs nothing.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "worker/worker.h"

namespace jobd::server::testing {

// A log that a test writes while it is read.
class FakeLog {
 public:
  void Append(const std::string& data) {
    std::unique_lock lock(mutex_);
    data_ += data;
    Wake(lock);
  }
  void Finish() {
    std::unique_lock lock(mutex_);
    finished_ = true;
    Wake(lock);
  }
  std::string Take(size_t from, size_t most, bool& finished) {
    const std::lock_guard lock(mutex_);
    std::string part = from < data_.size() ? data_.substr(from, most) : "";
    finished = finished_ && from + part.size() == data_.size();
    return part;
  }
  void Arm(size_t from, std::function<void()> wake) {
    std::unique_lock lock(mutex_);
    if (from < data_.size() || finished_) {
      lock.unlock();
      return wake();
    }
    wakes_.push_back(std::move(wake));
  }
  void Disarm() {
    const std::lock_guard lock(mutex_);
    wakes_.clear();
  }

 private:
  void Wake(std::unique_lock<std::mutex>& lock) {
    const auto wakes = std::exchange(wakes_, {});
    lock.unlock();
    for (const auto& wake : wakes) wake();
  }
  std::mutex mutex_;
  std::string data_;
  bool finished_ = false;
  std::vector<std::function<void()>> wakes_;
};

class FakeLogSession final : public worker::LogSession {
 public:
  FakeLogSession(std::shared_ptr<FakeLog> log, bool follow, std::atomic<int>& live)
      : log_(std::move(log)), follow_(follow), live_(live) {
    ++live_;
  }
  ~FakeLogSession() override {
    log_->Disarm();
    --live_;
  }
  base::Result<worker::LogPage> Read(size_t max_bytes) override {
    worker::LogPage page;
    bool finished = false;
    std::string data = log_->Take(offset_, max_bytes, finished);
    page.more = data.size() == max_bytes;
    if (!data.empty()) {
      worker::LogChunk chunk{.index = 1, .offset = offset_};
      offset_ += data.size();
      chunk.data = std::move(data);
      page.chunks.push_back(std::move(chunk));
    }
    page.cursor = std::to_string(offset_);
    page.finished = finished || (!follow_ && page.chunks.empty());
    return page;
  }
  void Arm(std::function<void()> wake) override { log_->Arm(offset_, std::move(wake)); }

 private:
  const std::shared_ptr<FakeLog> log_;
  const bool follow_;
  std::atomic<int>& live_;
  size_t offset_ = 0;
};

class FakeWatch final : public worker::BatchWatch {
 public:
  explicit FakeWatch(worker::BatchView batch) : batch_(std::move(batch)) {}
  base::Result<std::optional<worker::WatchUpdate>> Next() override {
    return std::optional<worker::WatchUpdate>(worker::WatchUpdate{.batch = batch_, .jobs = {}, .finished = true});
  }
  void Arm(std::function<void()> wake) override { wake(); }

 private:
  worker::BatchView batch_;
};

// Keeps what it is told in memory, at once; or fails, or waits.
class FakeSessionStore final : public worker::SessionStore {
 public:
  base::Result<std::vector<worker::SessionRecord>> Sessions() override {
    const std::lock_guard lock(mutex_);
    std::vector<worker::SessionRecord> all;
    for (const auto& [handle, record] : sessions_) all.push_back(record);
    return all;
  }
  base::Result<std::vector<worker::RehashedPassword>> Rehashed() override {
    const std::lock_guard lock(mutex_);
    return rehashed_;
  }
  void Put(worker::SessionRecord session, Committed done) override {
    Do([this, session] { sessions_[session.handle] = session; }, std::move(done));
  }
  void Drop(std::vector<std::string> handles, Committed done) override {
    Do(
        [this, handles] {
          for (const std::string& handle : handles) sessions_.erase(handle);
        },
        std::move(done));
  }
  void Put(worker::RehashedPassword password, Committed done) override {
    Do([this, password] { rehashed_.push_back(password); }, std::move(done));
  }

  void FailWith(std::optional<base::Error> error) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
  }
  // From now on nothing is committed before Commit.
  void Hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void Commit() {
    std::vector<std::function<void()>> waiting;
    {
      const std::lock_guard lock(mutex_);
      held_ = false;
      waiting.swap(waiting_);
    }
    for (const auto& one : waiting) one();
  }

 private:
  void Do(std::function<void()> change, Committed done) {
    {
      const std::lock_guard lock(mutex_);
      if (held_) {
        waiting_.push_back([this, change, done] { Do(change, done); });
        return;
      }
    }
    std::optional<base::Error> error;
    {
      const std::lock_guard lock(mutex_);
      error = error_;
      if (!error) change();
    }
    if (done) done(error ? base::Status(*error) : base::Ok());
  }

  std::mutex mutex_;
  std::map<std::string, worker::SessionRecord> sessions_;
  std::vector<worker::RehashedPassword> rehashed_;
  std::optional<base::Error> error_;
  bool held_ = false;
  std::vector<std::function<void()>> waiting_;
};

class FakeWorker final : public worker::Worker {
 public:
  struct Submission {
    worker::Submitter submitter;
    worker::BatchOptions options;
    std::vector<worker::JobSpec> jobs;
  };

  std::vector<Submission> submissions() {
    const std::lock_guard lock(mutex_);
    return submissions_;
  }
  int changes() const { return changes_; }
  // Sessions and watches that are open.
  int live_sessions() const { return live_; }
  std::shared_ptr<FakeLog> log = std::make_shared<FakeLog>();
  // What reads fail with, when set.
  std::optional<base::Error> read_error;
  worker::WorkerLimits limits;
  // The jobs that a batch has, and why they wait; or what the answer to that fails with.
  std::vector<worker::JobView> shown_jobs = {
      {.index = 1, .outcome = {.state = worker::JobState::kSucceeded, .exit_code = 0}, .attempt = 1}};
  worker::WaitReasons waits;
  std::optional<base::Error> explain_error;
  worker::WorkerStatus status;
  worker::OwnerUse use;
  FakeSessionStore stored_sessions;

  void Submit(worker::Submitter submitter, worker::BatchOptions options, std::vector<worker::JobSpec> jobs,
              worker::Callback<worker::Receipt> done) override {
    const std::string id = options.correlation_id.empty() ? "made-up" : options.correlation_id;
    const auto count = static_cast<uint32_t>(jobs.size());
    {
      const std::lock_guard lock(mutex_);
      batches_.insert({submitter.owner, id});
      submissions_.push_back({std::move(submitter), std::move(options), std::move(jobs)});
    }
    done(worker::Receipt{.correlation_id = id, .job_count = count, .created_at = 1, .replayed = false});
  }
  void Cancel(worker::JobSelector jobs, std::string, std::string, std::optional<base::Nanos>,
              worker::Callback<worker::CancelCounts> done) override {
    if (!Has(jobs.batch)) return done(Absent());
    ++changes_;
    done(worker::CancelCounts{.cancelled = 1});
  }
  void Signal(worker::JobSelector jobs, int, worker::Callback<uint32_t> done) override { Change(jobs.batch, std::move(done)); }
  void Retry(worker::JobSelector jobs, bool, worker::Callback<uint32_t> done) override { Change(jobs.batch, std::move(done)); }
  void Hold(worker::JobSelector jobs, std::string, worker::Callback<uint32_t> done) override {
    Change(jobs.batch, std::move(done));
  }
  void Release(worker::JobSelector jobs, worker::Callback<uint32_t> done) override { Change(jobs.batch, std::move(done)); }
  void Remove(worker::BatchName batch, worker::Callback<bool> done) override {
    if (!Has(batch)) return done(Absent());
    ++changes_;
    done(true);
  }
  void Prune(std::string, base::Nanos, bool, worker::Callback<worker::Pruned> done) override {
    ++changes_;
    done(worker::Pruned{});
  }

  base::Result<worker::JobPage> GetBatch(const worker::JobQuery& query) override {
    if (read_error) return *read_error;
    if (!Has(query.batch)) return Absent();
    worker::JobPage page{.batch = View(query.batch)};
    page.jobs = shown_jobs;
    return page;
  }
  // Where the last address was looked up.
  std::thread::id resolved_on() {
    const std::lock_guard lock(mutex_);
    return resolved_on_;
  }
  // An ID, with an index behind it if need be, or `last`.
  base::Result<worker::Target> Resolve(const std::string& owner, const std::string& address) override {
    {
      const std::lock_guard lock(mutex_);
      resolved_on_ = std::this_thread::get_id();
    }
    worker::Target target{.batch = {.owner = owner, .correlation_id = address.substr(0, address.find('/'))}, .index = {}};
    if (address == "last") {
      const std::lock_guard lock(mutex_);
      for (const worker::BatchName& name : batches_) {
        if (name.owner == owner) target.batch = name;
      }
    }
    if (!Has(target.batch)) return Absent();
    if (const auto slash = address.find('/'); slash != std::string::npos) {
      target.index = static_cast<uint32_t>(std::stoul(address.substr(slash + 1)));
    }
    return target;
  }
  void Explain(worker::WaitQuery query, worker::Callback<std::vector<worker::WaitReasons>> done) override {
    if (explain_error) return done(*explain_error);
    done(std::vector<worker::WaitReasons>(query.jobs.size(), waits));
  }
  base::Result<worker::BatchPage> ListBatches(const worker::BatchQuery& query) override {
    worker::BatchPage page;
    const std::lock_guard lock(mutex_);
    for (const worker::BatchName& name : batches_) {
      if (!query.owner || *query.owner == name.owner) page.batches.push_back(View(name));
    }
    return page;
  }
  base::Result<std::unique_ptr<worker::LogSession>> OpenLogs(const worker::LogQuery& query) override {
    if (!Has(query.batch)) return Absent();
    return std::unique_ptr<worker::LogSession>(std::make_unique<FakeLogSession>(log, query.follow, live_));
  }
  base::Result<std::unique_ptr<worker::BatchWatch>> Watch(const worker::BatchName& batch) override {
    if (!Has(batch)) return Absent();
    return std::unique_ptr<worker::BatchWatch>(std::make_unique<FakeWatch>(View(batch)));
  }

  void Start(worker::Callback<worker::ServiceState> done) override {
    ++changes_;
    done(worker::ServiceState::kRunning);
  }
  void Stop(bool, std::string, worker::Callback<uint32_t> done) override {
    ++changes_;
    done(0u);
  }
  void Drain(std::string, worker::Callback<worker::ServiceState> done) override {
    ++changes_;
    done(worker::ServiceState::kDraining);
  }
  worker::WorkerStatus GetStatus() override { return status; }
  base::Result<worker::OwnerUse> UseOf(const std::string&) override { return use; }
  worker::SessionStore& sessions() override { return stored_sessions; }
  void SetLimits(worker::WorkerLimits fresh) override { limits = std::move(fresh); }

 private:
  static base::Error Absent() { return {base::Code::kNotFound, "batch not found in table batches"}; }
  bool Has(const worker::BatchName& name) {
    const std::lock_guard lock(mutex_);
    return batches_.contains(name);
  }
  static worker::BatchView View(const worker::BatchName& name) { return {.name = name, .job_count = 1}; }
  void Change(const worker::BatchName& batch, worker::Callback<uint32_t> done) {
    if (!Has(batch)) return done(Absent());
    ++changes_;
    done(1u);
  }

  std::mutex mutex_;
  std::vector<Submission> submissions_;
  std::set<worker::BatchName> batches_;
  std::atomic<int> changes_ = 0;
  std::atomic<int> live_ = 0;
  std::thread::id resolved_on_;
};

}  // namespace jobd::server::testing
