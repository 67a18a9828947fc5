// Whether a folder is this instance's: nothing in a folder of somebody else may be overwritten, deleted or given away, whatever the
// configuration says.
//
// The mark: a file `.jobd` in each of the three folders, mode 0600, ours (root's, where we are root; the server's account, which
// owns the folder, could take it away but not write it). Three lines:
//
//     jobd ROLE 1            ROLE is state, log or runtime
//     instance ID            made with the state folder, and the same in all three
//     state PATH             of the state folder, when the mark was written
//
// A folder is taken when it
//   is not there            it is made
//   bears our mark          of its role; with the ID of our state folder, or, as that may have been lost, with its path
//   is empty                and belongs to root, to us or to the server's account. lost+found counts for nothing
//   was the version's before, which made no marks: it belongs to the account that this one would give it to, and what is in it is
//                           what that version put there
// and it is refused else, and where it is one of the system's.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "config/config.h"
#include "daemon/service_dirs.h"

namespace jobd::daemon {

// A folder in which others count on finding their own, whatever it holds at the moment. `folder`: absolute and normal.
bool IsOfTheSystem(const std::string& folder);

enum class FolderRole { kState, kLog, kRuntime };
// "state", "log" or "runtime".
const char* RoleName(FolderRole role);

struct FolderMark {
  std::string instance;
  std::string state_path;
};

// What may be where it is because we are.
struct FolderClaim {
  FolderRole role = FolderRole::kState;
  std::string path;  // absolute
  // Paths of the configuration. What leads to one of them is nobody else's.
  std::vector<std::string> ours;
};

// The three of a configuration, the state folder first.
std::vector<FolderClaim> ClaimsOf(const config::Config& config);

// The mark that the folder bears; an empty instance when there is none. Errors: one that is not ours, or damaged.
base::Result<FolderMark> ReadMark(int dir, const FolderClaim& claim);

// Judges the open folder by the rules above and changes nothing. `mark`: of our state folder. kPermissionDenied or
// kFailedPrecondition say why it is refused and what to do.
base::Status JudgeFolder(int dir, const FolderClaim& claim, const ServerAccount& account, const FolderMark& mark);

// The name of a folder of an owner's in the log folder; empty when there is none.
base::Result<std::string> FolderOfAnOwner(int log_dir, const FolderClaim& claim, const ServerAccount& account);

// Writes the mark, unless it says this already.
base::Status MarkFolder(int dir, const FolderClaim& claim, const FolderMark& mark);

}  // namespace jobd::daemon
