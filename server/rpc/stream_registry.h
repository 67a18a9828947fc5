// The calls that last, so that they can be ended: when their caller's right ends, and when the service does.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include <grpcpp/support/status.h>

namespace jobd::server {

// A lasting call. All methods are thread-safe and do not block.
class LiveCall {
 public:
  virtual ~LiveCall() = default;
  // Looks at the caller's right again, and at time limits of its own; ends the call when they are over.
  virtual void Recheck() = 0;
  // Ends the call with this status, as soon as what is being sent has been taken by the client. Only the first counts.
  virtual void End(const grpc::Status& status) = 0;
  // Ends the call without waiting for the client, if End did not manage to yet.
  virtual void Abort() = 0;
};

// Rechecks all calls every two seconds while there are any, and aborts those that could not be ended since the last time: a client
// that does not read is gone within four. Thread-safe. Runs a thread named "streams".
class StreamRegistry {
 public:
  StreamRegistry();
  ~StreamRegistry();
  StreamRegistry(const StreamRegistry&) = delete;
  StreamRegistry& operator=(const StreamRegistry&) = delete;

  // Removes the call when destroyed. Must not outlive the registry.
  class Registration {
   public:
    Registration() = default;
    Registration(StreamRegistry* registry, uint64_t id) : registry_(registry), id_(id) {}
    Registration(Registration&& other) noexcept : registry_(std::exchange(other.registry_, nullptr)), id_(other.id_) {}
    Registration& operator=(Registration&& other) noexcept {
      std::swap(registry_, other.registry_);
      std::swap(id_, other.id_);
      return *this;
    }
    ~Registration() {
      if (registry_ != nullptr) registry_->Remove(id_);
    }

   private:
    StreamRegistry* registry_ = nullptr;
    uint64_t id_ = 0;
  };

  // After EndAll a call is ended as it comes.
  Registration Add(const std::shared_ptr<LiveCall>& call);
  // For good.
  void EndAll(const grpc::Status& status);
  // Now instead of at the next interval: the rules have changed.
  void RecheckAll();
  size_t size() const;

 private:
  void Remove(uint64_t id);
  void Run();
  std::vector<std::shared_ptr<LiveCall>> Snapshot() const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<uint64_t, std::weak_ptr<LiveCall>> calls_;
  uint64_t next_id_ = 1;
  std::unique_ptr<grpc::Status> ended_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace jobd::server
