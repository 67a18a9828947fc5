// Scripts that are handed over as they are: the file need not be on the machine that runs it.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/batch/job_draft.h"

namespace jobd::cli {

// A job that runs `text`, which begins with "#!", by the program that its first line names, with the options given there: a shell,
// python, perl, ruby or node, also by way of env(1). The text is the program's argument (-c or -e), and `name` is what the script
// knows as its own name, where that can be. Errors are kInvalidArgument and read "NAME:1: …": no or an unknown program, a NUL byte,
// a text beyond the bound of an argument.
base::Result<JobDraft> ReadScript(const std::string& text, const std::string& name);

}  // namespace jobd::cli
