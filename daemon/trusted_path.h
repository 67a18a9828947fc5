// Paths that decide something, walked without being led astray: the server's account owns directories of ours, and a server that
// was taken over could put links there that root would follow; and whoever can change a file that we trust decides in our place.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace jobd::daemon {

// Opens the directory `path`, making it (with `mode`) and its parents (0755) where they are missing. A symbolic link on the way is
// followed only where nobody but root and ourselves could have put it; else kPermissionDenied.
base::Result<base::Fd> MakeDirs(const std::string& path, mode_t mode);

// As MakeDirs, of what is there: kNotFound when it, or something on the way, is missing.
base::Result<base::Fd> OpenDirs(const std::string& path);

// Opens the existing directory in which `path` lies; as MakeDirs, and nobody but root and ourselves may be able to write to it.
base::Result<base::Fd> OpenTrustedParent(const std::string& path);

// Opens a file that decides who is who or what may run, for reading. The one rule for all of them: it is a regular file, and it,
// each folder above it and each symbolic link on the way belong to root or to us and can be written by nobody else. A folder that
// others may write to is accepted where it is sticky, as /tmp is: what is ours there stays ours. kPermissionDenied names what
// breaks the rule, with owner or mode and what to do.
base::Result<base::Fd> OpenTrustedFile(const std::string& path);

// The path of jobd-server, which is beside us.
std::string ServerProgram();

// What is executed in our name, jobd itself and jobd-server, by the rule of OpenTrustedFile: whoever could put another program
// there would get our rights with it, the private key and every job. One that is not there is no program to trust. Where we are
// root, whoever installed them, as who builds them does, may own them, too: an account of the machine, but none `of_jobs`, which
// are those that a job or jobd-server can have.
base::Status CheckTrustedPrograms(const std::set<uid_t>& of_jobs);

// Those of these programs that the account that we run as could change or replace: itself, or by a folder above it.
std::vector<std::string> ProgramsWeCouldReplace();

// "c" of "/a/b/c".
std::string LastName(const std::string& path);

}  // namespace jobd::daemon
