#include "server/ops/maintenance.h"

#include <sys/stat.h>

#include <cstdio>
#include <map>
#include <string>
#include <variant>

#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "base/units.h"
#include "launch/contract/frames.h"
#include "server/ops/launcher_files.h"
#include "server/ops/runtime_files.h"
#include "worker/store/backup.h"
#include "worker/store/recover.h"

namespace jobd::server {
namespace {

constexpr int kPredecessorMs = 5000;
constexpr size_t kMaxMark = 4096;

// Descriptors from the launcher, by name.
using Given = std::map<std::string, base::Fd>;

base::Result<Given> ReceiveGiven(launch::HelloAck& about) {
  const base::Fd connection(launch::kServerSocketFd);
  JOBD_ASSIGN_OR_RETURN(auto received, launch::ReceiveLauncherFrame(connection.get(), true));
  const auto* const ack = std::get_if<launch::HelloAck>(&received.frame);
  if (ack == nullptr || ack->descriptors.size() != received.fds.size()) {
    return base::Error(base::Code::kFailedPrecondition, "jobd and jobd-server are of different versions");
  }
  Given given;
  for (size_t i = 0; i < received.fds.size(); ++i) given[ack->descriptors[i]] = std::move(received.fds[i]);
  about = *ack;
  return given;
}

// As a server that starts. Standard output has what is wrong, as that of a check does.
base::Status Check(const launch::HelloAck& about, Given& given) {
  std::vector<GivenFile> files;
  for (auto& [name, fd] : given) files.push_back({.name = name, .fd = std::move(fd)});
  const base::SystemClock clock;
  auto contents = ReadContents(std::move(files));
  auto checked = contents.ok() ? CheckFiles(*std::move(contents), about.config_name,
                                            {.environment = about.environment, .flags = about.set_flags}, clock.Realtime())
                               : base::Result<FileSet>(contents.error());
  if (!checked.ok()) {
    std::printf("%s\n", base::EscapeForTerminal(checked.error().message()).c_str());
    return base::Error(checked.error().code(), "");  // it has been said
  }
  for (const std::string& warning : checked->Warnings(clock.Realtime())) {
    std::fprintf(stderr, "warning: %s\n", base::EscapeForTerminal(warning).c_str());
  }
  return base::Ok();
}

base::Status Backup(Given& given) {
  JOBD_ASSIGN_OR_RETURN(const auto figures, worker::BackupState(given["state"].get(), given["backup"].get()));
  std::printf("copied %llu batches, %s\n", static_cast<unsigned long long>(figures.batches),
              base::FormatSize(figures.bytes).c_str());
  return base::Ok();
}

void Say(const worker::Recovered& recovered) {
  const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  if (!recovered.aside.empty()) std::printf("the damaged database is %s\n", recovered.aside.c_str());
  std::printf("recovered %llu batches with %llu jobs, the end of %llu of them on record\n", number(recovered.batches),
              number(recovered.jobs), number(recovered.proven));
  if (recovered.known > 0) std::printf("%llu batches were in the database\n", number(recovered.known));
  if (recovered.skipped > 0) std::printf("%llu folders have no exit records that can be read\n", number(recovered.skipped));
  if (recovered.batches > 0) {
    std::puts("their commands, names and options are not on record: they are empty, and have the label recovered=exit-records");
  }
}

base::Status Restore(Given& given, bool replace) {
  // A server whose jobd is gone may live for another moment.
  const int state = given["state"].get();
  JOBD_ASSIGN_OR_RETURN(const base::Fd lock, LockState(state, kPredecessorMs));
  JOBD_RETURN_IF_ERROR(worker::CheckNothingRuns(given["log"].get()));
  JOBD_ASSIGN_OR_RETURN(const std::string mark, base::ReadAll(given["mark"].get(), kMaxMark));
  std::string aside;
  JOBD_ASSIGN_OR_RETURN(const auto figures, worker::RestoreState(state, given["database"].get(), mark, replace, aside));
  std::printf("restored %llu batches, %s\n", static_cast<unsigned long long>(figures.batches),
              base::FormatSize(figures.bytes).c_str());
  if (!aside.empty()) std::printf("what was there before is %s\n", aside.c_str());
  // What ran after the backup was made is known to its exit records alone, and its IDs are taken.
  JOBD_ASSIGN_OR_RETURN(const auto recovered, worker::RecoverState(state, given["log"].get()));
  if (recovered.batches > 0) Say(recovered);
  return base::Ok();
}

base::Status Recover(Given& given) {
  JOBD_ASSIGN_OR_RETURN(const base::Fd lock, LockState(given["state"].get(), kPredecessorMs));
  JOBD_ASSIGN_OR_RETURN(const auto recovered, worker::RecoverState(given["state"].get(), given["log"].get()));
  Say(recovered);
  return base::Ok();
}

base::Status Run(const std::string& task, bool replace) {
  launch::HelloAck ack;
  JOBD_ASSIGN_OR_RETURN(Given given, ReceiveGiven(ack));
  if (task == "backup") return Backup(given);
  if (task == "restore") return Restore(given, replace);
  if (task == "check") return Check(ack, given);
  return Recover(given);
}

}  // namespace

int RunMaintenance(const std::string& task, bool replace) {
  umask(027);
  const base::Status status = Run(task, replace);
  if (status.ok()) return 0;
  if (status.error().message().empty()) return 1;
  std::fprintf(stderr, "jobd: %s\n", base::EscapeForTerminal(status.error().message()).c_str());
  return 1;
}

}  // namespace jobd::server
