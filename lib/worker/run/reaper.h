// From what the launcher says of attempts to how jobs go on: another attempt, an end, the end of a batch at its first failure.
#pragma once

#include "base/clock.h"
#include "worker/launcher/launcher.h"
#include "worker/plan/not_before.h"
#include "worker/run/announcer.h"
#include "worker/run/batch_canceller.h"
#include "worker/run/dispatcher.h"
#include "worker/run/job_table.h"
#include "worker/run/loop.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Lives on the loop's thread.
class Reaper final : public LauncherEvents {
 public:
  // All are borrowed and outlive this.
  struct Parts {
    Loop& loop;
    Store& store;
    JobTable& table;
    Announcer& announcer;
    Launcher& launcher;
    BatchCanceller& canceller;
    Dispatcher& dispatcher;
    const base::Clock& clock;
  };
  explicit Reaper(const Parts& parts) : parts_(parts) {}

  void OnStarted(launch::JobKey key, base::Nanos at) override;
  void OnEnded(launch::JobKey key, const launch::SlotRecord& record) override;
  void OnNotStarted(launch::JobKey key, const NotStarted& why) override;
  void OnLost(launch::JobKey key, const Reason& why) override;
  void OnReleased(launch::JobKey key) override;
  void OnPing() override;

 private:
  // An attempt that the launcher has. nullptr: it is over already.
  LiveJob* FindWithLauncher(launch::JobKey key);
  // The attempt is over; `row` says how. Decides on another attempt, and on the others of its batch.
  void Finish(LiveJob& job, JobRow row, bool may_retry);
  // It did not run, for want of something: it waits again, and keeps its slot for a while, which grows as long as no start comes
  // about.
  void RequeueAfterStartFailure(LiveJob& job, const NotStarted& why);
  base::Nanos NextRest();
  void AwaitRested();
  void ReleaseRested();

  const Parts parts_;
  NotBefore<launch::JobKey> resting_;  // released by the launcher, and their slots not to fall free yet
  base::Nanos timer_at_ = 0;           // the earliest timer that is set for them; 0: none
  base::Nanos lacking_since_ = 0;      // by the loop's clock: since then no start has come about; 0: the last one has
  base::Nanos lacked_last_ = 0;
};

}  // namespace jobd::worker
