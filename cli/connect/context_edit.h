// Changes to the file of contexts. Each leaves all else in it as it is, comments too.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/connect/context_file.h"

namespace jobd::cli {

// `text` with `current` set to `name`.
std::string WithCurrent(const std::string& text, const std::string& name);
// `text` with [context.NAME] behind it. There must be none of that name.
std::string WithContext(const std::string& text, const std::string& name, const Context& context);
// `text` without [context.NAME], and without `current` where that names it. kFailedPrecondition when the context is not written as
// a table of its own, so that taking lines out would change something else.
base::Result<std::string> WithoutContext(const std::string& text, const std::string& name);

// Replaces the file by `text`, whole or not at all, with mode 0600; makes the folders that are missing, with mode 0700. Where
// `path` is a symbolic link, the file behind it is replaced.
base::Status SaveContexts(const std::string& path, const std::string& text);

}  // namespace jobd::cli
