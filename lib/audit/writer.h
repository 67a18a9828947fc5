// Appends to the audit log. FORMAT.md specifies what it leaves behind.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "audit/record.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace jobd::audit {

// One at a time for each log, which it holds by flock(2). Not thread-safe: whoever groups the records of several callers owns it.
class Writer {
 public:
  struct Options {
    uint64_t max_bytes = 64u << 20;  // a file that has as many is put aside
    bool sync = true;                // fdatasync(2) at each Append; without, a loss of power may lose what was acknowledged
    // The head as something else remembers it (an anchor, the database). Where the files end before it, the chain goes on from
    // there, so that checking the log names the gap instead of finding two records of one number.
    std::optional<Head> known;
  };

  // Opens or makes dir/name, of which `dir` is borrowed for as long as the writer lives, and finds the end of the chain: in this
  // file, else in those that were put aside. Mends what a crash left. kDataLoss when the last line is not a record, or not the one
  // that is known: nothing is written behind damage. kFailedPrecondition when another writer holds the file. `clock` must outlive
  // the writer.
  static base::Result<std::unique_ptr<Writer>> Open(int dir, const std::string& name, const Options& options,
                                                    const base::Clock& clock);

  // Appends all records, in their order, with one write and one sync, or none: after an error the file is as before, or is made so
  // before anything else is written, and the chain has not moved. It may be called again then: nothing of what a failed sync left
  // behind is relied on. A Record's own time of 0 is filled in.
  base::Status Append(std::span<const Record> records);

  // Opens the file anew where somebody (logrotate, at SIGHUP) moved or removed it. The chain goes on in the new one.
  base::Status Reopen();

  // Puts the file aside as RotatedName and begins a new one; an empty file stays. Append does it at max_bytes, and goes on in the
  // old file if it cannot.
  base::Status Rotate();

  const Head& head() const { return head_; }

 private:
  Writer(int dir, std::string name, const Options& options, const base::Clock& clock)
      : dir_(dir), name_(std::move(name)), options_(options), clock_(clock) {}
  base::Result<base::Fd> OpenFile(const std::string& name, int flags) const;
  base::Status Begin();
  base::Status MendTail(base::Fd& file);
  base::Status FindHeadAside();
  base::Status CutBack();

  int dir_;
  std::string name_;
  Options options_;
  const base::Clock& clock_;
  base::Fd file_;
  Head head_;
  std::optional<uint64_t> cut_to_;  // what lies behind is of an Append that failed
  std::optional<Record> repair_;    // to be written first: what was cut off at the start
};

}  // namespace jobd::audit
