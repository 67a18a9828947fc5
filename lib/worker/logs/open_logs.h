// How many logs may have their files open at once: a reader of many jobs must not use up the descriptors of the process.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace jobd::worker {

inline constexpr size_t kMaxOpenLogs = 64;  // of one reader; a log has up to three files

// Of one reader. Log has CloseFiles(), which keeps its place: what it needs is opened again when it is used next.
template <typename Log>
class OpenLogs {
 public:
  // `log` is about to use its files. It stays where it is until Forget.
  void Use(Log& log) {
    Forget(log);
    if (used_.size() == kMaxOpenLogs) {
      used_.front()->CloseFiles();
      used_.erase(used_.begin());
    }
    used_.push_back(&log);
  }
  void Forget(const Log& log) { std::erase(used_, &log); }

 private:
  std::vector<Log*> used_;  // the one that was used longest ago first
};

}  // namespace jobd::worker
