// How many logs may have their files open at once: a reader of many jobs must not use up the descriptors of the process.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace jobd::worker {

inline constexpr size_t kMaxOpenLogs = 64;  // of one reader; a log has up to three files

// The logs of one reader that hold something, at most `max` of them. Whoever used it longest ago gives it back by `give_back` when
// one more comes, and gets it again when it is used next.
template <typename Log, void (Log::*give_back)() = &Log::CloseFiles, size_t max = kMaxOpenLogs>
class OpenLogs {
 public:
  // `log` is about to use what it holds. It stays where it is until Forget.
  void Use(Log& log) {
    if (!used_.empty() && used_.back() == &log) return;
    Forget(log);
    if (used_.size() == max) {
      (used_.front()->*give_back)();
      used_.erase(used_.begin());
    }
    used_.push_back(&log);
  }
  void Forget(const Log& log) { std::erase(used_, &log); }

 private:
  std::vector<Log*> used_;  // the one that was used longest ago first
};

}  // namespace jobd::worker
