// What a shell is told of what may come next.
#pragma once

#include <string>

#include "cli/completion/wanted.h"

namespace jobd::cli {

// For the scripts of `jobctl completion`: the first line is what is wanted, "words", "files", "folders" or "commands"; with words
// each more line is one that may stand there as a whole, a tab, and what it is. Asks jobd for batches, for a second at most:
// without an answer there are none.
std::string CandidatesText(const Wanted& wanted, const Environment& env);

}  // namespace jobd::cli
