// jobd, the launcher. It holds the privileges, parses nothing that comes from the network, and stays small, because forking it is
// the price of every job.
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "base/listener.h"
#include "base/starter.h"
#include "base/text.h"
#include "daemon/audit_check.h"
#include "daemon/configuration.h"
#include "daemon/hidden_paths.h"
#include "daemon/job_uids.h"
#include "daemon/maintenance.h"
#include "daemon/options.h"
#include "daemon/server_keeper.h"
#include "daemon/service_dirs.h"
#include "daemon/start_checks.h"
#include "daemon/user_command.h"
#include "launch/launcher/owner_uids.h"
#include "logging/logging.h"
#include "sandbox/cgroup/job_group.h"
#include "sandbox/isolation/isolation.h"

namespace {

using jobd::base::Error;

int Fail(const Error& error) {
  std::fprintf(stderr, "jobd: %s\n", jobd::base::EscapeForTerminal(error.message()).c_str());
  return 1;
}

// What is to be said of other jobd that give out our uids; empty: nothing.
std::string OthersWithOurUids(const jobd::daemon::UidClaim& claim) {
  auto overlapping = jobd::daemon::OverlappingClaims(jobd::daemon::kUidClaims, claim);
  if (overlapping.ok()) return *std::move(overlapping);
  return "it is not known whether another jobd of this machine gives out the same uids: " + overlapping.error().message();
}

// `--check-config`: everything that a start checks.
int Check(const jobd::daemon::Options& options, const jobd::base::Result<jobd::daemon::Configuration>& configuration) {
  const auto wrong = [](const Error& error) {
    std::printf("%s\n", jobd::base::EscapeForTerminal(error.message()).c_str());
    return 1;
  };
  if (!configuration.ok()) return wrong(configuration.error());
  const auto account = jobd::daemon::FindServerAccount(configuration->config);
  if (!account.ok()) return wrong(account.error());
  const auto checked = jobd::daemon::RunStartChecks({options, *configuration, *account});
  if (!checked.ok()) return wrong(checked.error());
  const auto code = jobd::daemon::RunServerCheck(options, *configuration, *account);
  if (!code.ok()) return wrong(code.error());
  if (*code != 0) return 1;
  if (account->uid) {
    const std::string others = OthersWithOurUids(jobd::daemon::ClaimOf(configuration->config));
    if (!others.empty()) std::fprintf(stderr, "warning: %s\n", jobd::base::EscapeForTerminal(others).c_str());
  }
  std::puts("OK");
  return 0;
}

jobd::base::Result<jobd::daemon::Configuration> Configure(const jobd::daemon::Options& options,
                                                          const jobd::base::Starter& starter) {
  if (starter.obstacle.empty()) return jobd::daemon::OpenConfiguration(options);
  return Error(jobd::base::Code::kFailedPrecondition,
               "started under a limit that this account may not lift: " + starter.obstacle + "; start jobd without it");
}

void BlockSignals() {
  sigset_t mask;
  ::sigemptyset(&mask);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::sigaddset(&mask, signal);
  ::sigprocmask(SIG_BLOCK, &mask, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  // 1. Whatever whoever started us has left to us, and the command line.
  const jobd::base::Starter starter = jobd::base::ForgetStarter();
  jobd::daemon::Options options = jobd::daemon::ParseOptions(argc, argv);
  options.job_descriptors = starter.descriptors;

  // What needs no service, nor all the files of one.
  if (!options.user.verb.empty()) return jobd::daemon::RunUserCommand(options);
  if (options.verify_audit) return jobd::daemon::RunAuditCheck(options);

  // 2. From here on signals are read in the loop: a stop that comes while we start is not lost.
  BlockSignals();
  // Nor does one that says nothing to us end the service. Jobs get their defaults back: launch::Launcher, IgnoredSignals.
  jobd::base::IgnoreStraySignals();
  // No core file and no debugger: the private key passes through this process.
  ::prctl(PR_SET_DUMPABLE, 0);

  // Paths in it are taken from its folder, and we leave ours. A check says its name as it was given.
  std::error_code nowhere;
  if (const auto file = std::filesystem::absolute(options.config_file, nowhere); !nowhere && !options.check_only) {
    options.config_file = file.string();
  }

  // 3. Configuration, certificates and users, before anything is touched.
  auto configuration = Configure(options, starter);
  if (options.check_only) return Check(options, configuration);
  if (!configuration.ok()) return Fail(configuration.error());
  const jobd::config::Config& config = configuration->config;

  const auto account = jobd::daemon::FindServerAccount(config);
  if (!account.ok()) return Fail(account.error());
  if (!options.maintenance.empty()) {
    const auto code = jobd::daemon::RunMaintenance(options, *configuration, *account);
    return code.ok() ? *code : Fail(code.error());
  }

  if (const auto status = jobd::daemon::RunStartChecks({options, *configuration, *account}); !status.ok()) {
    return Fail(status.error());
  }

  // Nobody's folder is ours to stay in, and no path of a job's leads to where we were started.
  if (::chdir("/") != 0) return Fail(jobd::base::SysError("going to /", errno));

  // 4. Directories, the lock that keeps a second jobd away, the pid file.
  const auto dirs = jobd::daemon::PrepareDirs(config, *account);
  if (!dirs.ok()) return Fail(dirs.error());

  // 5. The address. Held here, so that it outlives every server, and bound before anything starts that would have to be ended
  // again.
  const auto listener = jobd::base::Listen(config.listen);
  if (!listener.ok()) return Fail(listener.error());
  const auto metrics = jobd::daemon::ListenForMetrics(config, *dirs);
  if (!metrics.ok()) return Fail(metrics.error());

  // 6. Our own log.
  if (const auto status = jobd::daemon::PrepareLogFile(config, *account); !status.ok()) return Fail(status.error());
  const auto log =
      jobd::logging::Create({.level = config.log_level, .format = config.log_format, .file = config.log_file, .program = "jobd"});
  if (!log.ok()) return Fail(log.error());

  for (const std::string& warning : configuration->warnings) (*log)->warn("{}", jobd::base::EscapeForTerminal(warning));

  // 7. How jobs can be held together and limited on this machine; said aloud, never silently skipped.
  const auto tag = jobd::daemon::StateTag(dirs->state.get());
  if (!tag.ok()) return Fail(tag.error());
  const auto driver = jobd::sandbox::DetectGroupDriver(*tag);
  if (!driver.ok()) return Fail(driver.error());
  const auto secret = jobd::daemon::HiddenFromJobs(options, config, *dirs, account->uid.has_value());
  auto isolation = jobd::sandbox::Isolation::Make({.privileged = account->uid.has_value(),
                                                   .hidden = secret.hidden,
                                                   .emptied = secret.emptied,
                                                   .home = secret.home,
                                                   .driver = driver->get()});
  auto capabilities = (*driver)->capabilities();
  for (auto& capability : isolation.capabilities()) capabilities.push_back(std::move(capability));
  for (const jobd::sandbox::Capability& capability : capabilities) {
    (*log)->log(capability.available ? spdlog::level::info : spdlog::level::warn, "{}: {}", capability.name, capability.detail);
  }

  // 8. Whose files are whose: without that no job may start. Others are told of our uids before we look at theirs, so that of two
  // that start at once one sees the other.
  std::shared_ptr<jobd::launch::OwnerUids> uids;
  std::optional<jobd::daemon::PublishedClaim> claimed;
  if (account->uid) {
    const jobd::daemon::UidClaim claim = jobd::daemon::ClaimOf(config);
    if (auto made = jobd::daemon::PublishedClaim::Make(jobd::daemon::kUidClaims, claim); made.ok()) {
      claimed.emplace(*std::move(made));
    } else {
      (*log)->warn("another jobd of this machine is not told which uids are given out here: {}",
                   jobd::base::EscapeForTerminal(made.error().message()));
    }
    if (const std::string others = OthersWithOurUids(claim); !others.empty())
      (*log)->warn("{}", jobd::base::EscapeForTerminal(others));
    // By the lock's own descriptor: while something is still to be written there, no other jobd starts.
    auto opened = jobd::daemon::OpenJobUids(config, *account, dirs->locks.front().get(), dirs->log.get());
    if (!opened.ok()) return Fail(opened.error());
    uids = std::make_shared<jobd::launch::OwnerUids>(std::move(opened).value());
    if (!uids->note().empty()) (*log)->warn("{}", uids->note());
    if (const auto completed = uids->Complete(); !completed.ok()) return Fail(completed.error());
  }

  // 9. From here on there are jobs to be ended in time, whatever the disk of our log does.
  if (const auto status = jobd::logging::WriteElsewhere(**log); !status.ok()) return Fail(status.error());

  // 10. The server, started here or elsewhere, and the loop.
  const int code = jobd::daemon::ServerKeeper(options, *std::move(configuration), *account, *dirs, *listener, *metrics, **driver,
                                              isolation, uids, **log)
                       .Run();

  // 11. Nothing of ours stays behind but the jobs that run on.
  jobd::daemon::RemoveRuntimeFiles(*dirs);
  (*driver)->RemoveRoot();
  return code;
}
