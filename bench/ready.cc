// How long a service is away: kills processes, starts a command if one is given, and calls JOBCTL_ADDRESS until it answers.
//
//   bench_ready PID… [-- COMMAND…]    prints, in seconds since the kill: dead, first answer to a query, first submission taken;
//   then
//                                     the pid of the command, or 0
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/listener.h"
#include "bench/client.h"
#include "jobd/v1/job_query_service.grpc.pb.h"
#include "jobd/v1/job_schedule_service.grpc.pb.h"

namespace jobd::bench {
namespace {

void KillAndWait(const std::vector<pid_t>& pids) {
  std::vector<base::Fd> handles;
  for (const pid_t pid : pids) {
    handles.emplace_back(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    ::kill(pid, SIGKILL);
  }
  for (const base::Fd& handle : handles) {
    pollfd wait{handle.get(), POLLIN, 0};
    if (handle) ::poll(&wait, 1, -1);
  }
}

// Without our standard output, whose end whoever reads it waits for.
pid_t Spawn(char** argv) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t pid = 0;
  if (::posix_spawnp(&pid, argv[0], &actions, nullptr, argv, environ) != 0) std::exit(1);
  return pid;
}

// There is nothing that tells when somebody listens on a port; a refused connection costs some microseconds.
void AwaitListener(const std::string& address) {
  while (!base::ConnectTo(address, 60'000).ok()) ::usleep(1000);
}

}  // namespace

int Main(int argc, char** argv) {
  std::vector<pid_t> pids;
  int arg = 1;
  for (; arg < argc && argv[arg] != std::string("--"); ++arg) pids.push_back(std::atoi(argv[arg]));
  const auto begin = Clock::now();
  KillAndWait(pids);
  const double dead = MillisSince(begin) / 1e3;
  const pid_t started = arg + 1 < argc ? Spawn(argv + arg + 1) : 0;
  if (started != 0) AwaitListener(std::getenv("JOBCTL_ADDRESS"));

  const auto channel = Connect();
  grpc::ClientContext query_context;
  query_context.set_wait_for_ready(true);
  v1::ListBatchesRequest list;
  list.set_page_size(1);
  v1::ListBatchesResponse batches;
  Demand(v1::JobQueryService::NewStub(channel)->ListBatches(&query_context, list, &batches), "ListBatches");
  const double query = MillisSince(begin) / 1e3;

  grpc::ClientContext submit_context;
  v1::ExecuteJobRequest job;
  job.mutable_options()->set_hold(true);
  job.mutable_job()->add_argv("true");
  v1::ExecuteJobResponse response;
  Demand(v1::JobScheduleService::NewStub(channel)->ExecuteJob(&submit_context, job, &response), "ExecuteJob");
  std::printf("%.4f %.4f %.4f %d\n", dead, query, MillisSince(begin) / 1e3, started);
  return 0;
}

}  // namespace jobd::bench

int main(int argc, char** argv) { return jobd::bench::Main(argc, argv); }
