// The API without jobctl, for tests that need a thousand callers in one process.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/client_callback.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "jobd/v1/job_query_service.grpc.pb.h"
#include "jobd/v1/job_schedule_service.grpc.pb.h"
#include "tests/e2e/harness/daemon.h"

namespace jobd::e2e {

// A connection of its own, as one of the users that make-certs.sh makes. Thread-safe.
std::shared_ptr<grpc::Channel> Connect(const Daemon& daemon, const std::string& user = "operator");

// A request to follow job 1 of a batch from its first byte.
v1::StreamLogsRequest FollowOf(const std::string& id);
// A job that runs `script`.
v1::JobSpec ShellJob(const std::string& script);

// How much the process keeps in memory: "VmRSS" now, "VmHWM" at most. Bytes.
uint64_t MemoryOf(pid_t pid, const std::string& kind);
uint64_t DescriptorsOf(pid_t pid);

// A stream of logs that is read on gRPC's threads. Cancelled and waited for when destroyed.
class Follower final : public grpc::ClientReadReactor<v1::StreamLogsResponse> {
 public:
  using OnMessage = std::function<void(const v1::StreamLogsResponse&)>;
  // Takes so many messages and then no more, until Resume.
  static constexpr int kAll = -1;
  Follower(const std::shared_ptr<grpc::Channel>& channel, const v1::StreamLogsRequest& request, int messages = kAll,
           OnMessage on_message = {});
  ~Follower() override;
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  void Resume();
  void Cancel() { context_.TryCancel(); }
  // Waits until so many bytes have come, or the end. False when patience ends first.
  bool WaitForBytes(uint64_t bytes, Seconds patience = kPatience);
  // Waits for the end. False when patience ends first.
  bool WaitForEnd(Seconds patience = kPatience);
  // Of all the bytes, in order: how many, FNV-1a of them, and how the stream ended once it has.
  uint64_t bytes() const;
  uint64_t hash() const;
  uint64_t dropped() const;
  std::string cursor() const;
  grpc::Status status() const;

 private:
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  std::unique_ptr<v1::JobQueryService::Stub> stub_;
  grpc::ClientContext context_;
  const v1::StreamLogsRequest request_;
  const OnMessage on_message_;
  v1::StreamLogsResponse response_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  int messages_left_;
  bool idle_ = false;  // has taken its messages
  bool done_ = false;
  uint64_t bytes_ = 0;
  uint64_t hash_;
  uint64_t dropped_ = 0;
  std::string cursor_;
  grpc::Status status_;
};

inline constexpr uint64_t kHashStart = 0xcbf29ce484222325;
uint64_t HashOn(uint64_t hash, const std::string& bytes);

}  // namespace jobd::e2e
