// The thread `loop`: owns the queue, the slots and the running jobs, without locks. Others post to it.
//
// A job's way through it: the planner picks it for a free slot (SCHEDULED), its row STARTING is committed, the launcher gets it,
// its exit slot says RUNNING and then ENDED, its end is committed, watchers are told. The slot falls free when the end is seen, so
// that the end of one job and the start of the next share a commit. No start is recorded before there is a slot for it: what was
// accepted and only waits must be QUEUED on disk, or a power failure would make it LOST.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "launch/contract/exit_file.h"
#include "worker/keep/cleaner.h"
#include "worker/keep/retention.h"
#include "worker/launcher/old_launcher.h"
#include "worker/model/limits.h"
#include "worker/model/observer.h"
#include "worker/model/outcome.h"
#include "worker/model/request.h"
#include "worker/model/service_status.h"
#include "worker/plan/queue.h"
#include "worker/run/spec_prefetcher.h"
#include "worker/store/store.h"
#include "worker/watch/change_bus.h"
#include "worker/watch/file_events.h"
#include "worker/watch/live_overlay.h"

namespace jobd::worker {

class Supervisor final : public OldLauncherEvents {
 public:
  // All are borrowed and outlive the supervisor.
  struct Parts {
    Store& store;
    OldLauncher& launcher;
    const base::Clock& clock;
    ChangeBus& changes;
    LiveOverlay& live;
    Observer& observer;
    int state_dir = -1;
    int log_dir = -1;
  };

  Supervisor(Parts parts, WorkerLimits limits);
  // Ends the thread; jobs run on. Store completions must not come any more.
  ~Supervisor() override;

  // Takes up what the store says is live, then starts the thread. Once, before anything else.
  base::Status Restore();
  // Ends the thread. Nothing that is posted later is done.
  void Shutdown();

  // Requests, as in worker.h; from any thread. `batch` of Submit is checked and encoded; it may be refused
  // already.
  void Submit(Submitter submitter, NewBatch batch, Callback<Receipt> done);
  void Cancel(JobSelector jobs, std::string by, std::string reason, std::optional<base::Nanos> grace, Callback<CancelCounts> done);
  void Signal(JobSelector jobs, int signal, Callback<uint32_t> done);
  void Retry(JobSelector jobs, bool failed_only, Callback<uint32_t> done);
  void Hold(JobSelector jobs, Callback<uint32_t> done);
  void Release(JobSelector jobs, Callback<uint32_t> done);
  void Remove(BatchName batch, Callback<bool> done);
  void Prune(std::string owner, base::Nanos older_than, bool dry_run, Callback<Pruned> done);
  void Start(Callback<ServiceState> done);
  void Stop(bool now, std::string by, Callback<uint32_t> done);
  void Drain(Callback<ServiceState> done);
  void SetLimits(WorkerLimits limits);
  WorkerStatus Status() const;

  // From the launcher's thread.
  void OnRefused(launch::Refused refused) override;
  void OnShimExited(launch::JobKey key) override;
  void OnSwept(launch::JobKey key) override;
  void OnPing() override;

 private:
  enum class Stage {
    kRecording,  // its STARTING is being committed
    kLaunched,   // the launcher has it
    kEnding,     // its next state is being committed, or is and its shim has not been reported gone
  };
  // What is known once the cgroup of a job without a shim has been swept.
  enum class AfterSweep { kNothing, kRequeue, kEnd };

  struct Job {
    Stage stage = Stage::kRecording;
    JobRow row;  // as last committed, or on the way to be
    Bounds bounds;
    base::Nanos kill_after = 0;
    uint32_t retries = 0;
    std::unique_ptr<launch::LaunchRequest> request;  // until launched
    Reason asked;                                    // why it was told to end
    bool holds_slot = true;
    bool expanding = false;  // kRecording: its earlier output is being made plain
    bool exec_seen = false;
    base::Nanos picked_at = 0;  // wall clock, as the record's; 0: by an earlier process
    launch::SlotBytes slot{};   // kLaunched: as last looked at
    bool launched = false;      // a shim may have been made
    bool shim_gone = false;
    uint32_t saving = 0;     // kEnding: commits under way
    bool saved = false;      // kEnding: committed
    bool unstarted = false;  // kEnding: this attempt did not take place, its number is used again
    bool requeue = false;    // kEnding: goes back to the queue
    bool hold = false;       // and is held there
    bool final_told = false;
    AfterSweep after_sweep = AfterSweep::kNothing;
    Reason lost;  // kEnd: why
  };
  struct Home {  // a batch with live jobs
    BatchName name;
    uint32_t job_count = 0;
    bool fail_fast = false;
    int64_t last_seq = 0;
    base::Fd folder;
    base::Fd exits;
    int open_errno = 0;    // why there are none
    bool damaged = false;  // what was found at the restart tells nothing about jobs from before it
    std::unique_ptr<FileWatch> watch;
    std::map<uint32_t, Job> jobs;
  };

  template <typename Work>
  void Post(Work work);
  void Later(base::Nanos delay, std::function<void()> work);
  // Commits a write with whatever else this turn of the loop writes; `done` comes on the loop, in a later turn.
  void Put(std::vector<Change> changes, std::function<void(base::Status)> done);
  // Hands what was Put to the store's thread, before something else is.
  void Flush();

  // Dispatch (dispatch.cc).
  void Dispatch();
  void Prepare(Queue::Pick pick);
  // What was picked cannot be looked at now: it waits on.
  void Unpick(Queue::Pick pick);
  // An attempt appends to what earlier ones wrote, which has to be plain for that.
  void ExpandFirst(launch::JobKey key);
  void OnExpanded(launch::JobKey key, const base::Status& status);
  void RecordStart(launch::JobKey key);
  base::Result<Home*> OpenHome(uint64_t batch);
  void WatchExits(uint64_t batch, Home& home);
  void AwaitSlots();
  void OnRecorded(launch::JobKey key, const base::Status& status);
  // The start could not be recorded or prepared for want of something: the job waits again.
  void PutOff(launch::JobKey key, Job& job);
  void Pause();
  void FreeSlot(uint64_t batch, Job& job);

  // Ends (ending.cc).
  void LookAtSlots(uint64_t batch);
  void LookAtSlot(uint64_t batch, Home& home, uint32_t index);
  void TakeInSlot(uint64_t batch, Home& home, uint32_t index, const base::Result<launch::SlotRecord>& record);
  void SeeStart(Job& job, base::Nanos started_at);
  void HandleRefused(const launch::Refused& refused);
  void HandleShimExited(launch::JobKey key);
  void HandleSwept(launch::JobKey key);
  // The attempt is over; `row` says how. Decides on another attempt and on fail_fast, and commits.
  void Finish(uint64_t batch, Home& home, uint32_t index, JobRow row);
  // The attempt provably did not start: the same one again, `after` from now.
  void Unstart(uint64_t batch, uint32_t index, Job& job, base::Nanos after, bool hold = false);
  // The attempt failed before there was a process, for want of one: nothing of the job ran. Its number is in the exit slot, so it
  // is queued again under the next one.
  void StartLater(uint64_t batch, uint32_t index, Job& job);
  // Gives the slot back `after` from now, so that nobody asks for what is short in the meantime.
  void FreeSlotLater(launch::JobKey key, base::Nanos after);
  // A job without which nothing can be started: its end is its own, others may do better.
  void FailStart(uint64_t batch, Home& home, uint32_t index, JobRow row, std::string_view step, int errno_value);
  void Save(uint64_t batch, uint32_t index, Job& job);
  void OnSaved(launch::JobKey key, const base::Status& status);
  // Nothing of the batch waits or runs, and all of that is committed.
  bool HasEnded(uint64_t batch) const;
  void ForgetIfOver(uint64_t batch, uint32_t index);
  void CancelRest(uint64_t batch, uint32_t failed);
  Job* FindJob(launch::JobKey key);
  BatchName NameOf(uint64_t batch);
  void Told(uint64_t batch, uint32_t index, const Outcome& outcome);

  // Control (control.cc).
  struct Cancelling {
    CancelCounts counts;
    std::vector<Change> changes;
    Queue::Waiting waiting;    // taken from the queue as a whole
    uint32_t single = 0;       // taken alone; 0: none
    bool single_held = false;  // it was held
    std::vector<std::pair<launch::JobKey, base::Nanos>> stopping;
    std::optional<base::Error> failure;  // why what waits was left alone
  };
  // Takes what waits out of the queue, and tells live jobs to end.
  Cancelling CollectCancel(uint64_t batch, std::optional<uint32_t> index, const Reason& reason, std::optional<base::Nanos> grace);
  void GiveBack(uint64_t batch, const Cancelling& cancelling);
  void CancelLive(uint64_t batch, Home& home, uint32_t index, Job& job, const Reason& reason, std::optional<base::Nanos> grace,
                  Cancelling& out);
  void TellWaiting(uint64_t batch, const Queue::Waiting& waiting);
  void PutCancel(uint64_t batch, Cancelling cancelling, Callback<CancelCounts> done);
  // The batch, with the index checked. kNotFound.
  base::Result<ActiveBatch> FindBatch(const JobSelector& jobs);
  static Queue::Batch QueueEntryOf(const ActiveBatch& batch);
  // The batch is in the queue, if only with nothing queued.
  base::Status EnsureQueued(uint64_t batch);

  // Waiting and waiting again (requeue.cc).
  void HoldNow(const JobSelector& jobs, const Callback<uint32_t>& done);
  void UnholdUnsaved(uint64_t batch, uint32_t index);
  void ReleaseNow(const JobSelector& jobs, const Callback<uint32_t>& done);
  base::Status PutStates(uint64_t batch, const std::vector<uint32_t>& indexes, JobState state, std::vector<Change>& changes);
  // A retry goes through its batch in slices, so that neither the loop nor memory feels how large it is.
  struct Retrying {
    uint64_t batch = 0;
    std::string owner;
    std::optional<uint32_t> index;
    bool failed_only = false;
    uint32_t after = 0;    // done up to here
    int64_t reserved = 0;  // in the queue, of what is still to come
    uint32_t count = 0;
    std::vector<std::function<void()>> then;  // what came for the batch meanwhile: ends the retry, and follows it
    Callback<uint32_t> done;
  };
  // True: a retry of the batch is under way; it ends with its slice, and then `work` is done. What is asked of a batch must not
  // miss jobs that are on their way back to its queue.
  bool BehindRetry(uint64_t batch, std::function<void()> work);
  static bool MayRetry(JobState state, bool failed_only);
  void RetrySlice(const std::shared_ptr<Retrying>& retrying);
  void QueueAgain(uint64_t batch, uint32_t index);
  void EndRetry(const Retrying& retrying, const base::Status& status);

  // Requests (requests.cc).
  std::optional<base::Error> Refusal(const Submitter& submitter, uint64_t jobs);
  // Whether nothing of the batch is left to come: it may be removed.
  bool IsOver(const BatchView& batch) const;
  struct Removed {
    Pruned pruned;
    std::vector<BatchView> kept;  // whose files could not be deleted
  };
  // `done` comes on the loop; it fails when the rows could not be deleted.
  void RemoveFolders(std::vector<BatchView> batches, Callback<Removed> done);
  // A prune goes through the history in slices, so that neither the loop nor memory feels how long it is.
  struct Pruning {
    std::string owner;
    base::Nanos before = 0;
    bool dry_run = false;
    StoreReader::EndedPlace after;
    Pruned pruned;
    std::optional<base::Error> failure;
    Callback<Pruned> done;
  };
  static base::Error Undeletable();
  void PruneSlice(const std::shared_ptr<Pruning>& pruning);  // on the thread `clean`
  void RemoveSlice(const std::shared_ptr<Pruning>& pruning, std::vector<BatchView> batches);

  // Retention (retain.cc). One pass at a time.
  struct Retaining {
    Retention rules;
    Spared spared;
    KeptStatus kept;
    uint64_t min_free_bytes = 0;
    bool compress_later = false;  // there is something to compress that cannot be now
  };
  void RetainSoon();
  void RetainIn(base::Nanos delay);
  void Retain();
  void RetainSlice(const std::shared_ptr<Retaining>& pass);  // on the thread `clean`
  void RetainRemove(const std::shared_ptr<Retaining>& pass, std::vector<BatchView> batches);
  // `next`: when to look again if nothing happens before.
  void FinishRetaining(const Retaining& pass, std::optional<base::Nanos> next);

  // Compression (compress.cc), a part of the pass of retention. Batches are gone through in the order of their ends, from the first
  // one at each start: so what was cut short, and what a wall clock that was set back has hidden, is found again.
  struct CompressPlace {
    StoreReader::EndedPlace done;  // up to here
    StoreReader::EndedPlace in;    // the batch that was begun, and how many of its jobs are done
    uint32_t jobs = 0;
    bool any = false;  // one of these has a compressed file
  };
  // On the thread `clean`. What is to be compressed by now; with none, `next` is when there will be, if ever.
  base::Result<std::vector<BatchView>> FindCompressible(StoreReader& store, const Retention& rules, base::Nanos now,
                                                        std::optional<base::Nanos>& next);
  void Compress(const std::shared_ptr<Retaining>& pass, std::vector<BatchView> batches);
  // On the thread `clean`. `end`: the place behind the batches, and behind what was left out of them.
  void CompressSlice(const std::shared_ptr<Retaining>& pass, const std::vector<BatchView>& batches, StoreReader::EndedPlace end);

  // Service (supervisor.cc).
  void SetState(ServiceState state, std::function<void(base::Status)> done);
  void RetireIfIdle(uint64_t batch);
  void Publish();
  void Show(launch::JobKey key, JobState state, base::Nanos started_at = 0);

  // Restart (restart.cc).
  base::Status RestoreQueue(StoreReader& reader);
  base::Status RestoreBatch(StoreReader& reader, const ActiveBatch& batch);
  base::Status RestoreLive(StoreReader& reader, bool host_restarted);
  bool ExitFileIsWhole(const BatchView& batch) const;
  base::Status RestoreJob(StoreReader& reader, uint64_t batch, uint32_t index, bool host_restarted);

  StoreReader& reader() { return *reader_; }

  const Parts parts_;
  WorkerLimits limits_;
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running_;
  std::thread thread_;
  Store::Lease reader_;

  // Exit files are watched by the loop itself: for a short job, waking another thread first would cost as much as the rest.
  std::unique_ptr<FileEvents> file_events_;
  boost::asio::posix::stream_descriptor slot_events_;  // borrows their descriptor
  std::set<uint64_t> written_;                         // batches whose slots are to be looked at
  Queue queue_;
  SpecPrefetcher specs_;
  std::unordered_map<uint64_t, Home> homes_;
  std::vector<launch::JobKey> unsaved_;  // ends that could not be committed yet
  std::set<uint64_t> removing_;
  std::map<uint64_t, std::shared_ptr<Retrying>> retrying_;  // by batch: a Retry under way
  std::set<uint64_t> holding_;                              // batches with a Hold or Release that is being committed
  std::set<uint64_t> compressing_;                          // batches whose files the thread `clean` may be replacing
  CompressPlace compress_place_;                            // owned by the pass of retention, on whichever thread it is
  std::vector<Write> outbox_;
  bool flush_posted_ = false;
  std::atomic<bool> taken_up_ = false;  // the loop runs
  bool restoring_ = true;
  bool dispatching_ = false;
  bool paused_ = false;
  bool saving_later_ = false;
  bool retaining_ = false;     // a pass is under way
  bool retain_again_ = false;  // and something happened since it began
  bool retain_soon_ = false;   // the timer is set for an event
  boost::asio::steady_timer retention_timer_;
  const base::Nanos wall_at_zero_;  // of the monotonic clock, as the wall clock was when we began
  uint32_t slots_used_ = 0;
  uint64_t boot_ = 0;
  ServiceState state_ = ServiceState::kRunning;

  // What Status shows, written by the loop alone.
  mutable std::mutex status_mutex_;
  WorkerStatus status_;          // guarded by status_mutex_
  uint64_t min_free_bytes_ = 0;  // guarded by status_mutex_
  Cleaner cleaner_;
};

template <typename Work>
void Supervisor::Post(Work work) {
  boost::asio::post(io_, std::move(work));
}

}  // namespace jobd::worker
