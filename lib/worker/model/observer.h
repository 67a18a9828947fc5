// What the worker tells of its work to whoever counts or logs it.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "worker/model/job_row.h"
#include "worker/model/model.h"
#include "worker/model/service_status.h"

namespace jobd::worker {

// Called on the worker's threads, several at a time; implementations are thread-safe and do not block. The defaults do nothing.
class Observer {
 public:
  virtual ~Observer() = default;
  // A new batch of so many jobs is on disk.
  virtual void OnAccepted(uint32_t /*jobs*/) {}
  // A job's program was executed; `waited` is from the moment it was given a slot. Not told of jobs started by an earlier process.
  virtual void OnStarted(base::Nanos /*waited*/) {}
  // An attempt that ran, or failed to, is over: what it used and wrote. It may be tried again.
  virtual void OnAttempt(const JobRow& /*row*/) {}
  // A job's final state is on disk. index 0: so many jobs at once, which never started.
  virtual void OnEnded(const BatchName& /*batch*/, uint32_t /*index*/, const Outcome& /*outcome*/, uint64_t /*count*/) {}
  // A commit, or the failure of one; `took` with all its waiting for the disk.
  virtual void OnCommit(base::Nanos /*took*/, bool /*ok*/) {}
  // Nothing is written any more until a restart; `why` says what to do. At most once.
  virtual void OnStoreLost(const std::string& /*why*/) {}
  // What is wrong with a disk has changed, as far as somebody has asked or been refused; an empty problem: nothing any more.
  virtual void OnDisk(const DiskStatus& /*disk*/) {}
  // Output of a job is missing, because the log disk did not take it.
  virtual void OnOutputLost(const BatchName& /*batch*/, uint32_t /*index*/, uint64_t /*bytes*/) {}
};

}  // namespace jobd::worker
