// The users file, changed so that whatever happens one finds the old or the new one, whole.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace jobd::daemon {

// kPermissionDenied, as everywhere here, when it breaks the rule of OpenTrustedFile, others can write to its folder, or we may not.
base::Result<std::string> ReadUsersFile(const std::string& path);

// Reads, changes and replaces it, holding a lock against others who do (.NAME.lock beside it). Owner, mode and access lists stay. A
// symbolic link stays, and what it leads to is changed. The same text is not written. Errors of `change` are returned and nothing
// has happened then; kAborted when somebody else changed the file meanwhile, as an editor does, without the lock.
base::Status ChangeUsersFile(const std::string& path, const std::function<base::Result<std::string>(const std::string&)>& change);

}  // namespace jobd::daemon
