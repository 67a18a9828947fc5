// The figures of the service, in the form that Prometheus reads. docs/metrics.md is the reference of names and meanings.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "worker/model/observer.h"
#include "worker/worker.h"

namespace jobd::server {

// The figures that are looked up when somebody asks, instead of being counted as they happen.
struct MetricsSnapshot {
  worker::WorkerStatus worker;
  base::Nanos started_at = 0;  // wall clock
  uint32_t server_restarts = 0;
  int64_t certificate_expiry = 0;  // seconds since 1970
  size_t calls = 0;                // that last
};

// Thread-safe.
class Metrics final : public worker::Observer {
 public:
  Metrics();
  ~Metrics() override;

  void OnAccepted(uint32_t jobs) override;
  void OnStarted(base::Nanos waited) override;
  void OnAttempt(const worker::JobRow& row) override;
  void OnEnded(const worker::BatchName& batch, uint32_t index, const worker::Outcome& outcome, uint64_t count) override;
  void OnCommit(base::Nanos took, bool ok) override;

  // A call was not served, for a reason in the words of base::CodeName or of gRPC's status codes.
  void OnRefused(std::string_view reason);
  // A connection was not taken up.
  void OnConnectionRefused();
  // A connection was ended because of what its client did.
  void OnConnectionEnded();
  // So many bytes of output are on their way to a client.
  void OnStreamed(uint64_t bytes);

  // One call that reads logs, as long as it lasts.
  class Follower {
   public:
    explicit Follower(Metrics& metrics);
    ~Follower();
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;

   private:
    Metrics& metrics_;
  };

  // Everything, in Prometheus' text format 0.0.4.
  std::string Text(const MetricsSnapshot& snapshot);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace jobd::server
