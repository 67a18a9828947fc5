// The map of owners' uids (launch/launcher/owner_uids.h) where a service keeps it, and who else on the machine gives out the same.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/result.h"
#include "config/config.h"
#include "daemon/service_dirs.h"
#include "launch/launcher/owner_uids.h"

namespace jobd::daemon {

// Opens it in these folders, which are borrowed and outlive it. kFailedPrecondition when there is none although there are logs of
// owners' jobs: files of theirs may be anywhere, and a map begun anew would give one owner the uid of another.
base::Result<launch::OwnerUids> OpenJobUids(const config::Config& config, const ServerAccount& account, int state_dir, int log_dir);

// Where each jobd of root says which uids it gives out, for those that come after it. A file each, with a name that no other file
// ever has, that is there only while its descriptor holds a lock on all of it (F_OFD_SETLK) or after its jobd has died:
//
//     jobd uids 1
//     FIRST COUNT
//     TAG                    of the state directory (StateTag)
//     PATH                   of it, to the end of the file
//
// Root's alone: nobody else can say anything there, or keep anybody from it.
inline constexpr const char* kUidClaims = "/run/jobd-uids";

struct UidClaim {
  uid_t first = 0;
  uint32_t count = 0;
  std::string tag;  // whose own claim is no other's; empty: there is no state directory yet
  std::string state_dir;
};

// Ours; taken away when destroyed. A process that shares its descriptor without exec keeps it.
class PublishedClaim {
 public:
  // Makes the folder if need be. Errors carry errno, or say what is wrong with the folder.
  static base::Result<PublishedClaim> Make(const std::string& folder, const UidClaim& claim);
  PublishedClaim(PublishedClaim&&) = default;
  PublishedClaim& operator=(PublishedClaim&&) = delete;
  ~PublishedClaim();

 private:
  PublishedClaim(base::Fd folder, base::Fd file, std::string name)
      : folder_(std::move(folder)), file_(std::move(file)), name_(std::move(name)) {}
  base::Fd folder_;
  base::Fd file_;
  std::string name_;
};

// The claims of others that have a uid of this one in a line that says so and what to do; empty when there is none. Takes away what
// the dead have left.
base::Result<std::string> OverlappingClaims(const std::string& folder, const UidClaim& claim);

// That of a configuration whose state directory need not be there.
UidClaim ClaimOf(const config::Config& config);

}  // namespace jobd::daemon
