// The calls that last, so that they can be ended when their caller's right ends, and when the service stops.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "base/result.h"

namespace jobd::server {

// A call that lasts. All methods are thread-safe and do not block.
class LiveCall {
 public:
  virtual ~LiveCall() = default;
  // Checks the caller's right again, and time limits of the call's own; ends the call when they are over.
  virtual void Recheck() = 0;
  // Ends the call with this error, as soon as the client has taken the message that is being sent. Only the first call counts.
  virtual void End(const base::Error& error) = 0;
  // Ends the call without waiting for the client, if End has not managed to yet.
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

  // Its destructor removes the call. Must not outlive the registry.
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
  void EndAll(const base::Error& error);
  // Now instead of at the next interval: the rules have changed.
  void RecheckAll();
  size_t size() const;

 private:
  struct Live {
    std::unordered_map<uint64_t, std::weak_ptr<LiveCall>> calls;
    uint64_t next_id = 1;
    std::optional<base::Error> ended;
    bool idle = false;  // the thread waits for a call
    bool stop = false;
  };
  void Remove(uint64_t id);
  void Run();
  std::vector<std::shared_ptr<LiveCall>> Snapshot() const;

  base::Guarded<Live> live_;
  std::condition_variable changed_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace jobd::server
