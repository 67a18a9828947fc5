// Isolation profiles as data. Three are built in; an administrator adds others by inheriting from one of them. What a profile asks
// for is enforced or the job does not run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace jobd::sandbox {

enum class SyscallFilter {
  kNone,
  kStandard,  // denies what container runtimes deny
  kStrict,    // denies everything that is not on a list
};

// Where jobs have no account of their own: one uid for all jobs of an owner, or one for each job while it runs, out of a block that
// is that owner's alone.
enum class UidPer { kOwner, kJob };

struct Profile {
  std::string name;
  // Own pid, ipc, uts and mount namespaces; private /tmp, /var/tmp, /dev and /proc; jobd's own folders invisible; no capabilities
  // even for uid 0.
  bool namespaces = false;
  bool read_only = false;  // everything but /tmp and a working directory that was asked for; needs namespaces
  bool network = true;     // false: a network namespace of its own in which only loopback is up; needs namespaces
  SyscallFilter filter = SyscallFilter::kNone;
  bool landlock = false;    // the file access rules once more, in another mechanism; needs namespaces
  uint64_t tmp_bytes = 0;   // size of the private /tmp; 0: half of the machine's memory
  uint64_t tmp_inodes = 0;  // how many files in it; 0: no limit of its own
  uint64_t file_bytes = 0;  // RLIMIT_FSIZE; 0: none
  uint64_t open_files = 0;  // RLIMIT_NOFILE; 0: the service's own
  UidPer uid = UidPer::kOwner;
  std::vector<std::pair<std::string, std::string>> env;  // variables; the job's own win
  bool operator==(const Profile&) const = default;
};

class Profiles {
 public:
  // "open", "standard" and "strict".
  static Profiles BuiltIn();

  // The built-in ones and those of a TOML file with a [profile.NAME] for each: `inherits`, a profile that stands before it or is
  // built in, and any of namespaces, read_only, network, filter ("none", "standard", "strict"), landlock, tmp_size, tmp_files,
  // file_size, open_files, uid ("owner", "job") and env, a table of variables that is added to the inherited one. A built-in
  // profile cannot be changed. Errors read "FILE:LINE: what is wrong".
  static base::Result<Profiles> Parse(const std::string& file_name, std::string_view text);

  // nullptr when there is none. The pointer lives as long as this object.
  const Profile* Find(std::string_view name) const;
  const std::vector<Profile>& all() const { return all_; }

 private:
  std::vector<Profile> all_;
};

}  // namespace jobd::sandbox
