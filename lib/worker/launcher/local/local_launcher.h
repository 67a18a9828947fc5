// Attempts on this machine. jobd, at the other end of a socket, starts and ends them; each one's shim writes into the exit file of
// the batch how far it is and how it ended.
//
// What is seen of an attempt, and what is then told of it:
//
//   its slot says RUNNING            Started
//   its slot says ENDED              Ended; or NotStarted (retryable, number used), where the machine lacked something for it
//   Refused                          what its slot says by then; else Lost, if it is known to have run; else NotStarted. Released
//   ShimExited, its end told         Released
//   ShimExited, no end in its slot   its shim was killed: jobd is asked to sweep
//   Swept, its end told              Released
//   Swept, no end in its slot        Lost, or what recovery.cc decided; Released
//
// A slot is looked at when the file was written to, and before anything is concluded from its not saying something: a shim may have
// written it between our last look and its death. One that is being written reads as damaged, and as right at the next look.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "launch/contract/exit_file.h"
#include "launch/contract/frames.h"
#include "worker/launcher/launcher.h"
#include "worker/launcher/local/exit_files.h"
#include "worker/launcher/local/jobd_connection.h"
#include "worker/launcher/local/stop_reasons.h"

namespace jobd::worker {

// All but Alive, Capabilities, FindProblem and UseCapabilities: on the loop's thread, as Launcher says.
class LocalLauncher final : public Launcher, private FrameReceiver {
 public:
  // The connection, which has been greeted with Hello, and the directory are borrowed and outlive the launcher. `capabilities`: as
  // ReadFiles gave them.
  static base::Result<std::unique_ptr<LocalLauncher>> Create(JobdConnection& jobd, int log_dir, launch::Capabilities capabilities);
  // Detaches.
  ~LocalLauncher() override;

  // The configuration by which jobd has these is in force from now on. Thread-safe.
  void UseCapabilities(launch::Capabilities capabilities);

  void Attach(LauncherEvents& events, LauncherLoop& loop) override;
  void Detach() override;
  launch::Capabilities Capabilities() const override;
  void Open(const BatchPlace& place, std::function<void(base::Status)> done) override;
  void Close(uint64_t batch) override;
  base::Status Start(const launch::LaunchRequest& request) override;
  base::Status Cancel(launch::JobKey key, base::Nanos grace) override;
  void KeepReason(const BatchPlace& place, std::vector<launch::JobKey> attempts, const Reason& why) override;
  std::optional<Reason> KeptReason(const BatchPlace& place, launch::JobKey attempt) override;
  base::Status Signal(launch::JobKey key, int signal) override;
  void CancelPastLoop(launch::JobKey key, base::Nanos grace) override;
  void SignalPastLoop(launch::JobKey key, int signal) override;
  base::Status Recover(const std::vector<Earlier>& attempts, bool host_restarted) override;
  base::Status Alive() override;
  std::string FindProblem() override;

 private:
  // A sweep that jobd was asked for, and what its answer means when the slot still tells no end.
  struct Sweep {
    bool unbegun = false;  // nothing had begun when we last looked: then it was not started
    Reason lost;           // else
  };
  struct Attempt {
    uint32_t number = 0;
    bool started = false;         // OnStarted was called
    bool settled = false;         // one of OnEnded, OnNotStarted and OnLost was called
    bool without_folder = false;  // it was taken up without its batch's folder
    std::optional<Sweep> sweep;
    launch::SlotBytes slot{};  // as last looked at
  };
  struct Batch {
    ExitFile exits;
    bool whole = false;                    // the file has a slot for each job
    std::map<uint32_t, Attempt> attempts;  // by index
  };

  LocalLauncher(JobdConnection& jobd, std::unique_ptr<ExitFiles> exit_files, launch::Capabilities capabilities)
      : jobd_(jobd), exit_files_(std::move(exit_files)), capabilities_(std::move(capabilities)) {}

  // On the thread `launcher`.
  void OnFrame(launch::LauncherFrame frame) override;

  // nullptr: not known, or another attempt of the job is.
  Attempt* Find(launch::JobKey key);
  void TakeMade(uint64_t batch, ExitFiles::Made made);
  void OnWritten(uint64_t batch);
  void LookAtSlot(launch::JobKey key);
  void ApplyRecord(launch::JobKey key, const base::Result<launch::SlotRecord>& record);
  void HandleRefused(const launch::Refused& refused);
  void HandleShimExited(launch::JobKey key);
  void HandleSwept(launch::JobKey key);
  base::Status AskForSweep(launch::JobKey key, Attempt& attempt, Sweep sweep);
  void SettleNotStarted(launch::JobKey key, const LauncherEvents::NotStarted& why);
  void SettleLost(launch::JobKey key, const Reason& why);
  void Release(launch::JobKey key);

  // Recovery (recovery.cc).
  base::Status RefuseLaterVersions(std::span<const Earlier> attempts) const;
  // False: the exit file is damaged. `attempts` are all of one batch.
  bool OpenAsFound(std::span<const Earlier> attempts);
  base::Status RecoverAttempt(const Earlier& earlier, bool intact, bool host_restarted);

  JobdConnection& jobd_;
  const std::unique_ptr<ExitFiles> exit_files_;
  base::Guarded<launch::Capabilities> capabilities_;
  LauncherEvents* events_ = nullptr;  // of the loop's thread, as these
  LauncherLoop* loop_ = nullptr;
  std::unordered_map<uint64_t, Batch> batches_;
  std::atomic<bool> recovered_ = false;
  // Attempts that were taken up where there was no record to be had, by batch: it must not look, when its file is made whole, as if
  // they had never begun.
  std::unordered_map<uint64_t, std::vector<launch::JobKey>> unrecorded_;
  // Of the batch that was asked about last, at a start.
  uint64_t kept_of_ = 0;
  Stops kept_;
  std::atomic<uint32_t> without_folder_ = 0;  // attempts that are so
};

}  // namespace jobd::worker
