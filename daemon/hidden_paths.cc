#include "daemon/hidden_paths.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <system_error>

#include "daemon/service_folder.h"
#include "daemon/trusted_path.h"
#include "sandbox/isolation/accounts.h"

namespace jobd::daemon {

namespace {

namespace fs = std::filesystem;

std::string Real(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  return error ? "" : real.string();
}

// More lies there than ours.
bool JobsWouldMiss(const std::string& folder) {
  if (IsOfTheSystem(folder)) return true;
  for (const char* begin : {"/usr/", "/lib/", "/etc/ssl/certs", "/etc/pki/tls", "/etc/pki/ca-trust"}) {
    if (folder.starts_with(begin)) return true;
  }
  return false;
}

class Collector {
 public:
  explicit Collector(bool privileged) : privileged_(privileged) {}

  void AddFolder(const std::string& real) {
    if (!real.empty()) hidden_.insert(real);
  }
  // `whole`: nothing of its folder may be seen, if we have no other protection.
  void AddFile(const std::string& path, bool whole) {
    if (path.empty()) return;
    const std::string real = Real(path);
    for (const std::string& folder : {Real(fs::path(path).parent_path()), real.substr(0, real.rfind('/'))}) {
      if (folder.empty()) continue;
      if (JobsWouldMiss(folder)) {
        if (!real.empty()) hidden_.insert(real);
      } else if (whole && !privileged_) {
        hidden_.insert(folder);
      } else {
        emptied_.insert(folder);
      }
    }
  }
  HiddenPaths Take() {
    for (const std::string& path : hidden_) emptied_.erase(path);
    return {.hidden = {hidden_.begin(), hidden_.end()}, .emptied = {emptied_.begin(), emptied_.end()}, .home = {}};
  }

 private:
  bool privileged_;
  std::set<std::string> hidden_;
  std::set<std::string> emptied_;
};

}  // namespace

HiddenPaths HiddenFromJobs(const Options& options, const config::Config& config, const ServiceDirs& dirs, bool privileged) {
  Collector all(privileged);
  for (const base::Fd* dir : {&dirs.state, &dirs.log, &dirs.runtime})
    all.AddFolder(Real("/proc/self/fd/" + std::to_string(dir->get())));
  for (const std::string* file : {&config.tls_ca, &config.tls_client_ca, &config.tls_cert, &config.tls_key, &config.tls_revoked})
    all.AddFile(*file, true);
  for (const std::string* file : {&options.config_file, &config.users_file, &config.profiles_file}) all.AddFile(*file, false);
  // Where jobs run as we do: what another program is put in the place of is executed outside every view at the next start.
  if (!privileged) {
    for (const std::string& program : ProgramsWeCouldReplace()) all.AddFile(program, true);
  }
  if (const std::string log = Real(config.log_file); !log.empty()) all.AddFolder(log);
  HiddenPaths paths = all.Take();
  const std::string home = privileged ? "" : Real(sandbox::AccountOf(::geteuid()).home);
  if (!home.empty() && !IsOfTheSystem(home)) paths.home = home;
  return paths;
}

}  // namespace jobd::daemon
