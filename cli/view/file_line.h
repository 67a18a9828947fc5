// Where a mistake in a file is.
#pragma once

#include <string>

#include "base/result.h"

namespace jobd::cli {

// kInvalidArgument, "FILE:LINE: what is wrong". Lines count from 1.
inline base::Error AtLine(const std::string& file, int line, const std::string& what) {
  return {base::Code::kInvalidArgument, file + ":" + std::to_string(line) + ": " + what};
}

}  // namespace jobd::cli
