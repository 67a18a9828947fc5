// How the launcher finds the shims that another launcher forked, or that nobody knows of.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include "launch/launcher/adoption.h"
#include "launch/launcher/launcher.h"

namespace jobd::launch {

namespace {

// A server that has just started asks for thousands, one behind the other: they are looked for together.
constexpr std::chrono::milliseconds kSearchSoon{20};
constexpr std::chrono::seconds kSearchAgain{1};

// Of "job-BATCH-INDEX-ATTEMPT" (sandbox::GroupName).
std::optional<JobKey> KeyOfGroup(const std::string& name) {
  constexpr std::string_view kBegin = "job-";
  if (!name.starts_with(kBegin)) return std::nullopt;
  JobKey key;
  const char* at = name.data() + kBegin.size();
  const char* const end = name.data() + name.size();
  const auto take = [&](auto& number, bool last) {
    const auto [behind, error] = std::from_chars(at, end, number);
    if (error != std::errc() || (last ? behind != end : behind == end || *behind != '-')) return false;
    at = last ? behind : behind + 1;
    return true;
  };
  if (!take(key.batch, false) || !take(key.index, false) || !take(key.attempt, true)) return std::nullopt;
  return key;
}

}  // namespace

void Launcher::Handle(const Watch& frame) {
  if (shims_.contains(frame.key)) return;
  if (const auto known = searching_.find(frame.key); known != searching_.end()) {
    known->second.watch = frame;
    return;
  }
  auto found = FindShim(options_.shim, frame);
  if (found.ok() && found->pidfd) {
    Adopt(frame.key, *std::move(found), frame);
    return;
  }
  if (!found.ok()) hooks_.report("looking for a shim: " + found.error().message());
  searching_[frame.key].watch = frame;
  SearchIn(kSearchSoon);
}

void Launcher::Handle(const Sweep& frame) {
  const auto it = shims_.find(frame.key);
  if (it != shims_.end()) {
    // The server looked before this shim had locked its slot, or just after it had died. If it lives, so may its job: the answer
    // waits until it is gone.
    it->second->sweep_asked = true;
    return;
  }
  // Nor does a server that finds no record, or a lock that nobody holds, know that nobody does: where the evidence is missing, what
  // runs is left to its end.
  ++searching_[frame.key].sweeps;
  SearchIn(kSearchSoon);
}

void Launcher::Handle(const Reconciled& /*frame*/) {
  reconciling_ = true;
  // Now: the next job may be given the uid of one that is found.
  Search();
}

void Launcher::SearchIn(std::chrono::milliseconds delay) {
  if (std::exchange(search_due_, true)) return;
  search_timer_.expires_after(delay);
  search_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    search_due_ = false;
    Search();
  });
}

void Launcher::SearchAgain(const base::Error& why) {
  if (!std::exchange(search_failed_, true)) {
    hooks_.report("looking for jobs that run from before: " + why.message() + "; nothing is done to them until that is possible");
  }
  SearchIn(kSearchAgain);
}

base::Status Launcher::AddUnknown() {
  JOBD_ASSIGN_OR_RETURN(const std::vector<std::string> names, options_.shim.driver->List());
  reconciling_ = false;
  for (const std::string& name : names) {
    const auto key = KeyOfGroup(name);
    // One that is not as we name them is none of ours.
    if (!key || GroupOf(*key) != name || shims_.contains(*key) || sweeper_.IsSweeping(name)) continue;
    searching_.try_emplace(*key);
  }
  return base::Ok();
}

void Launcher::Search() {
  if (reconciling_) {
    if (const auto added = AddUnknown(); !added.ok()) return SearchAgain(added.error());
  }
  std::vector<std::string> names;
  for (const auto& [key, asked] : searching_) names.push_back(GroupOf(key));
  if (names.empty()) return;
  const auto processes = options_.shim.driver->ProcessesOf(names);
  if (!processes.ok()) return SearchAgain(processes.error());
  std::optional<base::Error> failed;
  for (auto it = searching_.begin(); it != searching_.end();) {
    const JobKey key = it->first;
    const auto of_group = processes->find(GroupOf(key));
    auto found = LookFor(it->second, of_group == processes->end() ? std::vector<pid_t>() : of_group->second);
    if (!found.ok()) {
      failed = std::move(found).error();
      ++it;
      continue;
    }
    Asked asked = std::move(it->second);
    it = searching_.erase(it);
    found->pidfd ? TakeFound(key, std::move(asked), *std::move(found)) : TakeLost(key, asked);
  }
  if (failed) return SearchAgain(*failed);
  search_failed_ = false;
}

base::Result<FoundShim> Launcher::LookFor(const Asked& asked, const std::vector<pid_t>& processes) const {
  if (asked.watch) {
    auto locked = FindShim(options_.shim, *asked.watch);
    if (locked.ok() ? static_cast<bool>(locked->pidfd) : IsPassing(locked.error().sys_errno())) return locked;
  }
  // A lock that cannot be seen proves nothing: the file may be another one by now, or out of reach.
  JOBD_ASSIGN_OR_RETURN(FoundShim found, FindShimAbove(processes));
  // Without groups of the kernel's, a job can say of its processes that they are another's.
  const bool another =
      found.pidfd && std::any_of(shims_.begin(), shims_.end(), [&](const auto& known) { return known.second->pid == found.pid; });
  return another ? FoundShim{} : std::move(found);
}

void Launcher::TakeFound(JobKey key, Asked asked, FoundShim found) {
  if (asked.sweeps > 0) {
    hooks_.report("a job whose exit record is not where it should be runs on: " + GroupOf(key));
  } else if (!asked.watch) {
    // A database that came back from an earlier time does not know it, which is no reason to end it.
    hooks_.report("a job runs that the database does not know: " + GroupOf(key) + ", shim " + std::to_string(found.pid) +
                  "; it is left alone until its end");
  }
  Adopt(key, std::move(found), asked.watch)->sweep_asked = asked.sweeps > 0;
  for (const auto& frame : asked.kept) std::visit([this](const auto& kept) { Handle(kept); }, frame);
}

void Launcher::TakeLost(JobKey key, const Asked& asked) {
  if (!asked.watch && asked.sweeps == 0) hooks_.report("removing what is left of an unknown job: " + GroupOf(key));
  SweepThen(key, [this, key, watched = asked.watch.has_value(), sweeps = asked.sweeps] {
    if (watched) SendToServer(ShimExited{key});
    for (size_t i = 0; i < sweeps; ++i) SendToServer(Swept{key});
  });
}

}  // namespace jobd::launch
