// What has to wait for the log disk, so that nobody else does: making folders and files there, and asking whether it answers.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"

namespace jobd::worker {

// Thread-safe. Runs a thread named "log-disk".
class LogDisk {
 public:
  LogDisk();
  // `clock` outlives it.
  explicit LogDisk(const base::Clock& clock) : clock_(clock) {}
  // Ends the thread when it is through with what it does; what waits for it is dropped.
  ~LogDisk() { Stop(); }
  LogDisk(const LogDisk&) = delete;
  LogDisk& operator=(const LogDisk&) = delete;

  // A disk that has left something undone for so long does not answer. Longer than a slow one takes under load.
  static constexpr base::Nanos kHangsAfter = 3 * base::kNanosPerSecond;

  // Starts the thread, while there is room for one: when the disk hangs it may be too late. Once, unless Stop came first.
  // kResourceExhausted and the like when there is none.
  base::Status Start();
  // Does `work` on the thread, from Start on, behind what waits for it. After Stop it is dropped.
  void Do(std::function<void()> work);
  // The same, to be done by the caller: from when it is begun until it is done the disk counts as not having answered.
  std::function<void()> Tracked(std::function<void()> work) const;
  // Has `probe` done, unless something is under way or waits that tells as much or it was done just before.
  void Probe(std::function<void()> probe);
  // For how long the disk has left something undone, if that is kHangsAfter or longer; else 0.
  base::Nanos HangsFor() const;
  bool Hangs() const { return HangsFor() != 0; }
  // It has done something a moment ago, so that it need not be asked.
  bool AnsweredLately() const;
  void Stop();

 private:
  struct Pending {
    std::map<uint64_t, base::Nanos> since;  // what was begun and is not done yet
    uint64_t last = 0;
    base::Nanos answered_at = 0;  // 0: never
  };
  struct Queue {
    std::deque<std::function<void()>> waiting;
    std::thread thread;
    base::Nanos probed_at = 0;
    bool stopping = false;
  };
  void Run();

  const base::Clock& clock_;
  const std::shared_ptr<base::Guarded<Pending>> pending_ = std::make_shared<base::Guarded<Pending>>();
  base::Guarded<Queue> queue_;
  std::condition_variable wake_;
};

}  // namespace jobd::worker
