#include "worker/launcher/local/local_launcher.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "launch/contract/start_fault.h"
#include "worker/model/outcome.h"

namespace jobd::worker {
namespace {

// The machine lacked something for the start: that passes, and is no fault of the job's.
bool MayPass(const launch::SlotRecord& record) {
  return record.cause == launch::EndCause::kSetupFailed &&
         launch::StartMayPass(record.step, record.step_errno, (record.flags & launch::kFlagMemoryLimitHit) != 0);
}

base::Error NotOpen() { return {base::Code::kFailedPrecondition, "the batch is not open"}; }
base::Error NoProgram() { return {base::Code::kFailedPrecondition, "the job has no program that could take a signal"}; }

}  // namespace

base::Result<std::unique_ptr<LocalLauncher>> LocalLauncher::Create(JobdConnection& jobd, int log_dir,
                                                                   launch::Capabilities capabilities) {
  JOBD_ASSIGN_OR_RETURN(auto exit_files, ExitFiles::Create(log_dir));
  return std::unique_ptr<LocalLauncher>(new LocalLauncher(jobd, std::move(exit_files), std::move(capabilities)));
}

LocalLauncher::~LocalLauncher() { Detach(); }

void LocalLauncher::UseCapabilities(launch::Capabilities capabilities) { *capabilities_.Lock() = std::move(capabilities); }

launch::Capabilities LocalLauncher::Capabilities() const { return *capabilities_.Lock(); }

void LocalLauncher::Attach(LauncherEvents& events, LauncherLoop& loop) {
  events_ = &events;
  loop_ = &loop;
  exit_files_->Begin(loop, [this](uint64_t batch) { OnWritten(batch); });
  jobd_.SetReceiver(this);
}

void LocalLauncher::Detach() {
  if (loop_ == nullptr) return;
  jobd_.SetReceiver(nullptr);
  batches_.clear();
  exit_files_->End();
  events_ = nullptr;
  loop_ = nullptr;
}

void LocalLauncher::Open(const BatchPlace& place, std::function<void(base::Status)> done) {
  const auto tell = [this](auto say, base::Status status) { loop_->Post([say = std::move(say), status] { say(status); }); };
  if (const auto known = batches_.find(place.batch); known != batches_.end() && known->second.whole) {
    return tell(std::move(done), base::Ok());
  }
  if (std::string problem = FindProblem(); !problem.empty()) {
    return tell(std::move(done), base::Error(base::Code::kResourceExhausted, "the log disk is " + std::move(problem)));
  }
  const auto unrecorded = unrecorded_.find(place.batch);
  std::vector<launch::JobKey> begun = unrecorded != unrecorded_.end() ? unrecorded->second : std::vector<launch::JobKey>();
  loop_->OnLogDisk([this, loop = loop_, place, begun = std::move(begun), done = std::move(done)] {
    auto made = std::make_shared<base::Result<ExitFiles::Made>>(exit_files_->Make(place, begun));
    loop->Post([this, batch = place.batch, made, done] {
      if (!made->ok()) return done(made->error());
      TakeMade(batch, std::move(**made));
      done(base::Ok());
    });
  });
}

void LocalLauncher::TakeMade(uint64_t batch, ExitFiles::Made made) {
  unrecorded_.erase(batch);
  Batch& live = batches_[batch];
  if (live.whole) return;  // it was asked for twice
  live.exits = exit_files_->WatchMade(std::move(made), batch);
  live.whole = true;
}

std::string LocalLauncher::FindProblem() {
  // What is written now would be out of sight as soon as the folder is back.
  const uint32_t missing = without_folder_.load();
  if (missing == 0) return {};
  return "without the records of " + std::to_string(missing) + (missing == 1 ? " job that runs" : " jobs that run") +
         " (is it mounted? was it emptied or replaced?)";
}

void LocalLauncher::Close(uint64_t batch) {
  const auto known = batches_.find(batch);
  if (known != batches_.end() && known->second.attempts.empty()) batches_.erase(known);
}

base::Status LocalLauncher::Start(const launch::LaunchRequest& request) {
  const auto batch = batches_.find(request.key.batch);
  if (batch == batches_.end() || !batch->second.whole) return NotOpen();
  const auto [place, added] = batch->second.attempts.try_emplace(request.key.index);
  if (!added) return base::Error(base::Code::kAlreadyExists, "an attempt of the job has not been released yet");
  place->second.number = request.key.attempt;
  return jobd_.Send(launch::Launch{request});
}

base::Status LocalLauncher::Cancel(launch::JobKey key, base::Nanos grace) {
  const Attempt* const attempt = Find(key);
  if (attempt == nullptr || attempt->settled) return base::Ok();
  return jobd_.Send(launch::CancelJob{.key = key, .grace = grace});
}

void LocalLauncher::KeepReason(const BatchPlace& place, std::vector<launch::JobKey> attempts, const Reason& why) {
  // What cannot be kept there either is forgotten at a restart: whoever asked has been told.
  loop_->OnLogDisk([this, name = place.name, text = EncodeStops(attempts, why)] { (void)exit_files_->AppendStops(name, text); });
}

std::optional<Reason> LocalLauncher::KeptReason(const BatchPlace& place, launch::JobKey attempt) {
  if (std::exchange(kept_of_, place.batch) != place.batch) kept_ = DecodeStops(exit_files_->ReadStops(place.name));
  const auto kept = kept_.find({attempt.index, attempt.attempt});
  return kept == kept_.end() ? std::nullopt : std::optional(kept->second);
}

base::Status LocalLauncher::Signal(launch::JobKey key, int signal) {
  LookAtSlot(key);  // it may have got a program since, or ended
  const Attempt* const attempt = Find(key);
  if (attempt == nullptr || !attempt->started || attempt->settled) return NoProgram();
  return jobd_.Send(launch::SignalJob{.key = key, .signal = signal});
}

void LocalLauncher::CancelPastLoop(launch::JobKey key, base::Nanos grace) {
  (void)jobd_.Send(launch::CancelJob{.key = key, .grace = grace});
}

void LocalLauncher::SignalPastLoop(launch::JobKey key, int signal) {
  (void)jobd_.Send(launch::SignalJob{.key = key, .signal = signal});
}

base::Status LocalLauncher::Alive() { return jobd_.Send(launch::Alive{}); }

void LocalLauncher::OnFrame(launch::LauncherFrame frame) {
  if (std::holds_alternative<launch::Ping>(frame)) {
    // The loop does not run yet, and recovery takes as long as there are attempts.
    if (!recovered_.load()) return (void)Alive();
    return loop_->Post([this] { events_->OnPing(); });
  }
  if (auto* const refused = std::get_if<launch::Refused>(&frame)) {
    loop_->Post([this, refused = std::move(*refused)] { HandleRefused(refused); });
  } else if (const auto* const exited = std::get_if<launch::ShimExited>(&frame)) {
    loop_->Post([this, key = exited->key] { HandleShimExited(key); });
  } else if (const auto* const swept = std::get_if<launch::Swept>(&frame)) {
    loop_->Post([this, key = swept->key] { HandleSwept(key); });
  }
}

LocalLauncher::Attempt* LocalLauncher::Find(launch::JobKey key) {
  const auto batch = batches_.find(key.batch);
  if (batch == batches_.end()) return nullptr;
  const auto attempt = batch->second.attempts.find(key.index);
  return attempt != batch->second.attempts.end() && attempt->second.number == key.attempt ? &attempt->second : nullptr;
}

// The event does not say which slot was written. Neighbours are read together, and what did not change is not decoded: among many
// jobs that run, most did not.
void LocalLauncher::OnWritten(uint64_t batch_id) {
  const auto batch = batches_.find(batch_id);
  if (batch == batches_.end()) return;
  std::vector<launch::JobKey> open;
  for (const auto& [index, attempt] : batch->second.attempts) {
    if (!attempt.settled) open.push_back({.batch = batch_id, .index = index, .attempt = attempt.number});
  }
  if (open.empty()) return;
  SlotWindow window(batch->second.exits.file.get(), open.front().index, open.back().index);
  for (const launch::JobKey& key : open) {
    const auto bytes = window.At(key.index);
    if (!bytes) return;  // cut short by somebody: jobd still tells when the shims are gone
    Attempt* const attempt = Find(key);
    // Events before this one may have led to anything.
    if (attempt == nullptr || std::equal(bytes->begin(), bytes->end(), attempt->slot.begin())) continue;
    std::copy(bytes->begin(), bytes->end(), attempt->slot.begin());
    ApplyRecord(key, launch::DecodeSlot(*bytes));
  }
}

void LocalLauncher::LookAtSlot(launch::JobKey key) {
  if (Find(key) != nullptr) ApplyRecord(key, batches_.at(key.batch).exits.Read(key.index));
}

void LocalLauncher::ApplyRecord(launch::JobKey key, const base::Result<launch::SlotRecord>& record) {
  Attempt* const attempt = Find(key);
  if (attempt == nullptr || attempt->settled || !record.ok() || record->attempt != key.attempt) return;
  if (record->phase == launch::Phase::kRunning && !std::exchange(attempt->started, true)) {
    events_->OnStarted(key, record->started_at);
  } else if (record->phase == launch::Phase::kEnded && MayPass(*record)) {
    SettleNotStarted(
        key,
        {.retryable = true, .number_used = true, .text = StartFailed(launch::StepText(record->step), record->step_errno).text});
  } else if (record->phase == launch::Phase::kEnded) {
    attempt->settled = true;
    events_->OnEnded(key, *record);
  }
}

void LocalLauncher::HandleRefused(const launch::Refused& refused) {
  const launch::JobKey key = refused.key;
  // Refused because it has begun before, by whom we do not know (after a restored backup): its record says what became of it.
  LookAtSlot(key);
  const Attempt* const attempt = Find(key);
  if (attempt == nullptr) return;
  if (!attempt->settled && attempt->started) {
    SettleLost(key, ShimDied());
  } else if (!attempt->settled) {
    SettleNotStarted(key, {.retryable = refused.retry, .text = refused.text});
  }
  Release(key);
}

void LocalLauncher::HandleShimExited(launch::JobKey key) {
  LookAtSlot(key);
  Attempt* const attempt = Find(key);
  if (attempt == nullptr) return;
  if (attempt->settled) return Release(key);
  if (attempt->sweep) {
    // The answer to that tells. But there was a shim, and no record of what it did.
    if (std::exchange(attempt->sweep->unbegun, false)) attempt->sweep->lost = RecordMissing();
    return;
  }
  // Killed before it could say how the job ended. What it leaves is removed before the job counts as over.
  const auto record = batches_.at(key.batch).exits.Read(key.index);
  (void)AskForSweep(key, *attempt, {.lost = record.ok() ? ShimDied() : RecordDamaged()});
}

void LocalLauncher::HandleSwept(launch::JobKey key) {
  // Ignore a Swept that we did not ask for: jobd may owe it to the server before us.
  if (const Attempt* const asked = Find(key); asked == nullptr || !asked->sweep) return;
  LookAtSlot(key);
  const Attempt* const attempt = Find(key);
  if (attempt == nullptr) return;
  if (attempt->settled) return Release(key);
  // The shim may have begun the job after we looked, and died since: what has begun is not begun again.
  const Sweep sweep = *attempt->sweep;
  const auto record = batches_.at(key.batch).exits.Read(key.index);
  const bool begun = !record.ok() || (record->phase != launch::Phase::kNone && record->attempt == key.attempt);
  if (!sweep.unbegun) {
    SettleLost(key, sweep.lost);
  } else if (begun) {
    SettleLost(key, record.ok() ? ShimDied() : RecordDamaged());
  } else {
    SettleNotStarted(key, {.retryable = true, .text = "the service restarted before the job began"});
  }
  Release(key);
}

base::Status LocalLauncher::AskForSweep(launch::JobKey key, Attempt& attempt, Sweep sweep) {
  attempt.sweep = std::move(sweep);
  return jobd_.Send(launch::Sweep{key});
}

void LocalLauncher::SettleNotStarted(launch::JobKey key, const LauncherEvents::NotStarted& why) {
  Find(key)->settled = true;
  events_->OnNotStarted(key, why);
}

void LocalLauncher::SettleLost(launch::JobKey key, const Reason& why) {
  Find(key)->settled = true;
  events_->OnLost(key, why);
}

void LocalLauncher::Release(launch::JobKey key) {
  const Attempt* const attempt = Find(key);
  if (attempt == nullptr) return;
  if (attempt->without_folder) --without_folder_;
  batches_.at(key.batch).attempts.erase(key.index);
  events_->OnReleased(key);
}

}  // namespace jobd::worker
