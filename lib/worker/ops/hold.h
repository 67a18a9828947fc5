// A client's hold, and its release. What waits for a slot waits HELD; what runs goes on, and waits HELD should it be tried again.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/model/request.h"
#include "worker/run/engine.h"

namespace jobd::worker {

// Lives on the loop's thread until it is answered.
class HoldOp : public std::enable_shared_from_this<HoldOp> {
 public:
  enum class Kind {
    // At once, so that nothing starts meanwhile; taken back when it cannot be recorded.
    kHold,
    // When it is recorded: nothing starts on the strength of a release that failed.
    kRelease,
  };
  // From any thread. The answer comes on the loop, after the commit, with the number of jobs that it changed. kAborted while
  // another one of the batch is being recorded. `by`: who holds it.
  static void Post(Engine& engine, Kind kind, JobSelector jobs, std::string by, Callback<uint32_t> done);

  HoldOp(Engine& engine, Kind kind, JobSelector jobs, std::string by, Callback<uint32_t> done);

 private:
  void Run();
  base::Status Hold();
  base::Status Release();
  // The jobs that stand out of the batch's line are held or not by themselves.
  base::Status MoveSetApart(JobState state);
  // Since when it waits as it does now, and by whom.
  void Mark(JobRow& row) const;
  // Jobs whose attempt is over or given up, and that wait again when nothing is left of it: their next wait is another.
  void ChangeLive(JobState from, JobState to);
  void OnCommitted(const base::Status& status);
  void UndoHold();
  void UndoLive();

  Engine& engine_;
  const Kind kind_;
  const JobSelector jobs_;
  const std::string by_;
  const Callback<uint32_t> done_;
  base::Nanos now_ = 0;
  uint64_t batch_ = 0;
  bool whole_ = false;     // all jobs of a batch that is in the queue
  bool was_held_ = false;  // as a whole
  uint32_t count_ = 0;
  std::vector<uint32_t> set_apart_;      // queued jobs with a row of their own
  std::vector<launch::JobKey> live_;     // whose row was amended
  std::vector<launch::JobKey> running_;  // whose next wait was marked
  std::vector<Change> changes_;
};

}  // namespace jobd::worker
