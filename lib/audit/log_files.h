// The files of one audit log: the one that is written to, and those that were put aside.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace jobd::audit {

// "audit.jsonl.00000000000000001234".
std::string RotatedName(const std::string& name, uint64_t last_seq);

// Names in `dir` that begin with `name`, as RotatedName and as logrotate(8) name them, compressed ones left out (they cannot be
// read); `name` itself comes last, if it is there, and the others in the order of their names.
base::Result<std::vector<std::string>> LogFiles(int dir, const std::string& name);

}  // namespace jobd::audit
