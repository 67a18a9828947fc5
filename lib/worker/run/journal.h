// What the loop decides, on its way to the disk: the changes of one turn of the loop are one commit.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "base/result.h"
#include "launch/contract/launch_request.h"
#include "worker/run/loop.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Lives on the loop's thread. Completions come on it, in a later turn, in the order of the calls.
class Journal {
 public:
  // Both are borrowed and outlive the journal. Once the loop has ended nothing completes any more.
  Journal(Store& store, Loop& loop) : store_(store), loop_(loop) {}
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Commits `changes` together, and with whatever else this turn of the loop appends. `done` may be empty.
  void Append(std::vector<Change> changes, std::function<void(base::Status)> done);
  // Commits how an attempt ended, or that its job waits again, whatever the disk says: what it does not take is offered to it
  // again, every second. Until then the row is kept here (and in the launcher's own record). A newer row of the same attempt takes
  // the place of the one before; `saved` of the newest is called, once, when it is on disk.
  void AppendRow(launch::JobKey key, JobRow row, std::function<void()> saved);
  // Hands what was appended to the store now: what is submitted to it next comes behind.
  void Flush();

 private:
  struct Unsaved {
    JobRow row;
    uint32_t commits_in_flight = 0;
    std::function<void()> saved;
  };
  void Offer(launch::JobKey key, Unsaved& unsaved);
  void OnRowCommitted(launch::JobKey key, const base::Status& status);
  void OfferAgain();

  Store& store_;
  Loop& loop_;
  std::vector<Write> outbox_;  // of this turn
  bool flush_posted_ = false;
  std::map<launch::JobKey, Unsaved> unsaved_;
  bool offering_later_ = false;
};

}  // namespace jobd::worker
