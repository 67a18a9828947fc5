// A password from a person or a program: never from the command line, which everybody can read.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace jobd::auth {

// From a terminal: asks with `prompt` on `talk`, without echo. A signal that ends or stops us meanwhile finds the terminal as it
// was. Else: one line, of which at most `most` bytes and no byte behind its end are read; without its line feed, and empty at the
// end of input. kInvalidArgument for a longer one. What was read on the way is wiped; the answer is the caller's to wipe.
base::Result<std::string> ReadPassword(int in, int talk, const std::string& prompt, size_t most);

// The same for one that is to be set: a terminal is asked twice, unless the first answer is empty; kInvalidArgument when the two
// differ.
base::Result<std::string> ReadNewPassword(int in, int talk, const std::string& prompt, size_t most);

}  // namespace jobd::auth
