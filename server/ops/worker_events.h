// Counts what the worker tells of its jobs, and logs it for debugging.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <string>

#include "logging/fields.h"
#include "server/ops/metrics.h"
#include "worker/model/observer.h"

namespace jobd::server {

// Thread-safe.
class WorkerEvents final : public worker::Observer {
 public:
  WorkerEvents(std::shared_ptr<spdlog::logger> log, Metrics& metrics) : log_(std::move(log)), metrics_(metrics) {}

  void OnAccepted(uint32_t jobs) override { metrics_.OnAccepted(jobs); }
  void OnStarted(base::Nanos waited) override { metrics_.OnStarted(waited); }
  void OnAttempt(const worker::JobRow& row) override { metrics_.OnAttempt(row); }
  void OnCommit(base::Nanos took, bool ok) override { metrics_.OnCommit(took, ok); }
  void OnStoreLost(const std::string& why) override { log_->error("{}", why); }
  void OnDisk(const worker::DiskStatus& disk) override {
    if (disk.problem.empty()) return log_->info("the {} disk is well again", disk.name);
    log_->error("the {} disk is {}: no new work is taken", disk.name, disk.problem);
  }
  void OnOutputLost(const worker::BatchName& batch, uint32_t index, uint64_t bytes) override {
    log_->error("{}", logging::Line("the log disk did not take a job's output", {{"correlation_id", batch.correlation_id},
                                                                                 {"owner", batch.owner},
                                                                                 {"job", std::to_string(index)},
                                                                                 {"dropped_bytes", std::to_string(bytes)}}));
  }
  void OnEnded(const worker::BatchName& batch, uint32_t index, const worker::Outcome& outcome, uint64_t count) override {
    metrics_.OnEnded(batch, index, outcome, count);
    // Lost is the one end that an operator has to look into.
    const auto level = outcome.state == worker::JobState::kLost ? spdlog::level::warn : spdlog::level::debug;
    if (!log_->should_log(level)) return;
    const std::string job = index != 0 ? std::to_string(index) : std::to_string(count) + " that waited";
    log_->log(level, "{}",
              logging::Line("ended", {{"correlation_id", batch.correlation_id},
                                      {"owner", batch.owner},
                                      {"job", job},
                                      {"state", worker::StateName(outcome.state)}}));
  }

 private:
  const std::shared_ptr<spdlog::logger> log_;
  Metrics& metrics_;
};

}  // namespace jobd::server
