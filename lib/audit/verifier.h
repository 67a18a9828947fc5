// Checks an audit log against its own chain and against anchors; see "Checking" in FORMAT.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/anchors.h"
#include "audit/record.h"
#include "base/fd.h"
#include "base/result.h"

namespace jobd::audit {

// A file to be checked, open for reading; the offset of the descriptor does not matter and is not moved.
struct LogFile {
  std::string name;  // for the report
  base::Fd file;
};

enum class DamageKind { kAltered, kMissing, kReordered, kCutOff };
std::string_view DamageName(DamageKind kind);  // "altered", "missing", "reordered", "cut off"

// The first thing that is wrong.
struct Damage {
  std::string file;
  uint64_t line = 0;  // from 1; one more than there are where something is wrong behind the last
  DamageKind kind = DamageKind::kAltered;
  std::string problem;  // a sentence part
};

struct Report {
  uint64_t files = 0;    // that hold records
  uint64_t records = 0;  // that are right, all of them before the damage
  uint64_t first_seq = 0;
  Head last;                 // of those that are right
  uint64_t anchored_to = 0;  // records up to this one are anchored; 0: none
  std::optional<Damage> damage;
};

// Reads all files in the order of their records, whichever order they are given in. `whole`: the log must begin with record 1; else
// it may be a part of one. `anchors` as ReadAnchors gives them, read before the files were opened when somebody may be writing.
// Errors are those of reading alone.
base::Result<Report> Verify(std::vector<LogFile> files, const std::vector<Anchor>& anchors, bool whole);

}  // namespace jobd::audit
