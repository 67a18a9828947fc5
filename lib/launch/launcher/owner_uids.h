// Which uids the jobs of each owner run as. A uid that was once an owner's is that owner's for ever: files of its jobs may be left
// anywhere. So the map is kept in a file, decided by the launcher alone, out of a range that belongs to jobd.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::launch {

// The file in the state directory: "jobd uids 1", a line "owner|jobs NAME FIRST COUNT" for each grant, "end N" with their number.
// Root's own, mode 0600: jobd-server, which owns the directory, could take it away but not write it; so an owner's place in the
// range follows from its name, and a map that is lost comes out the same again unless two names wanted one place. That is no reason
// to begin a new one: it would give away what was somebody's. So there is a copy in the log directory, of the same form, which has
// every grant before it is given, as the map has.
inline constexpr const char* kUidsFile = "job-uids";
inline constexpr const char* kUidsCopy = ".job-uids";

// For processes with one thread. Each owner has one uid for its jobs, and, where a profile says a uid for each job, blocks of more,
// of which a job gets one for as long as it lives.
class OwnerUids {
 public:
  static constexpr int kPatience = 100;  // milliseconds

  enum class Damage { kRefuse, kSalvage };

  // `dir` is borrowed and outlives this; -1: the map is kept in memory alone. A process of ours that writes to the map keeps `dir`
  // open until it is done: where it is the descriptor that is locked, no other jobd starts before that. The range is first .. first
  // + count - 1. Uids that were granted out of another range stay out of use, and their owners get new ones. `copy_dir`, as `dir`:
  // where the copy is; -1: there is none. What is missing, damaged or older is completed from the other. An error when neither can
  // be read, when they contradict each other, or one is somebody else's: then nothing can be said of who owns what, and no job may
  // start. Writes nothing. kSalvage, for a map that is put in order by a backup: of a damaged one the lines that can be read.
  static base::Result<OwnerUids> Open(int dir, uid_t first, uint32_t count, int copy_dir = -1, Damage damage = Damage::kRefuse);
  // There was a map, or a copy of it. Without either nobody has ever got a uid here, or both are lost: whoever opens must know.
  bool found() const { return found_; }
  // The map and its copy are to be written (Save): one of them was missing, or said less. `note` says what there is to tell of it.
  bool incomplete() const { return incomplete_; }
  const std::string& note() const { return note_; }

  // The owner's uid, which is on the disk. kFailedPrecondition when the range is used up; an errno of the disk; EAGAIN while the
  // disk does not answer: not even then does this take longer than kPatience, as whoever calls has jobs to end as well.
  base::Result<uid_t> OfOwner(const std::string& owner);
  // One of the owner's blocks that no live job has; taken until Release. EAGAIN when all that the owner can have are taken.
  base::Result<uid_t> TakeForJob(const std::string& owner);
  // The uid of a live job that another launcher started.
  void Mark(uid_t uid) { taken_.insert(uid); }
  void Release(uid_t uid) { taken_.erase(uid); }

  // Adds what a copy of the file says and this does not, in memory: for a backup that comes back. An older copy takes nothing away.
  base::Status Merge(std::string_view text);
  // Writes both when they are incomplete, as far as that can be done now: they are written with the next grant else, and nothing is
  // given that they do not have. An error: somebody else has a file in their place. Takes no longer than kPatience.
  base::Status Complete();
  // Writes the map and its copy, however long that takes.
  base::Status Save() const;
  std::string Text() const;
  size_t owners() const;

 private:
  struct Grant {
    std::string owner;
    bool jobs = false;
    uint32_t count = 1;
    bool operator==(const Grant&) const = default;
  };
  using Grants = std::map<uid_t, Grant>;  // by their first uid

  OwnerUids(int dir, int copy_dir, uid_t first, uint32_t count);
  static base::Result<Grants> Parse(std::string_view text, Damage damage = Damage::kRefuse);
  // Absent when there is no such file.
  static base::Result<std::optional<Grants>> Read(int dir, const char* name, const char* place, Damage damage);
  // What both say together. kDataLoss where they contradict each other.
  static base::Result<Grants> Joined(const Grants& map, const Grants& copy);
  void Enter(uid_t first, const Grant& grant);
  bool InRange(uid_t first, uint32_t count) const;
  static bool IsFree(const Grants& grants, uid_t first, uint32_t count);
  // Enters a grant as soon as it is on the disk.
  base::Status Add(uid_t first, Grant grant);
  // A process writes the map with what is pending.
  base::Status BeginSave();
  // Waits for that, for so long; enters what was pending, or drops it. EAGAIN: it goes on.
  base::Status AwaitSave(int milliseconds);

  int dir_;
  int copy_dir_;
  bool found_ = false;
  bool incomplete_ = false;
  std::string note_;
  uid_t first_;
  uint32_t count_;
  uint32_t block_;   // uids for jobs are granted this many at a time
  uint32_t blocks_;  // at the end of the range; before them are those of owners
  Grants grants_;
  // Those within the range.
  std::map<std::string, uid_t, std::less<>> of_owner_;
  std::map<std::string, std::vector<uid_t>, std::less<>> blocks_of_;
  std::set<uid_t> taken_;
  // Being written.
  std::optional<std::pair<uid_t, Grant>> pending_;
  pid_t saver_ = 0;
  base::Fd saver_end_;
};

}  // namespace jobd::launch
