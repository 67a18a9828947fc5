#include "daemon/job_uids.h"

#include <string>
#include <utility>

#include "base/text.h"
#include "daemon/service_folder.h"

namespace jobd::daemon {

base::Result<launch::OwnerUids> OpenJobUids(const config::Config& config, const ServerAccount& account, int state_dir,
                                            int log_dir) {
  JOBD_ASSIGN_OR_RETURN(auto uids, launch::OwnerUids::Open(state_dir, config.job_uid_first, config.job_uid_count, log_dir));
  if (uids.found()) return uids;
  JOBD_ASSIGN_OR_RETURN(const std::string owner, FolderOfAnOwner(log_dir, ClaimsOf(config)[1], account));
  if (owner.empty()) return uids;
  const std::string file = config.state_dir + "/" + launch::kUidsFile;
  return base::Error(base::Code::kFailedPrecondition,
                     file + " is missing, and so is its copy in the log directory, while there are logs of owners (of " +
                         base::EscapeForTerminal(owner) +
                         ", for one): the file says whose files are whose, and without it one owner's jobs could get the uid of "
                         "another's. Take it from a backup (jobd --restore). If there is none, give jobs uids that none of them "
                         "has ever had (policy.job_uid_first), and begin a new one as root: printf 'jobd uids 1\\nend 0\\n' > " +
                         file + "; chmod 600 " + file);
}

}  // namespace jobd::daemon
