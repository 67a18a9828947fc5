#include "launch/shim/spawn.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <unordered_set>

#include "base/files.h"
#include "launch/process/child.h"
#include "launch/process/clone.h"

namespace jobd::launch {

namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::string_view PathOf(const LaunchRequest& request) {
  std::string_view path = kDefaultPath;
  for (const auto& [name, value] : request.env) {
    if (name == "PATH") path = value;
  }
  return path;
}

std::vector<ChildLimit> LimitsOf(const ShimContext& context, const JobLimits& own, const sandbox::Profile& profile) {
  rlimit core{0, 0};
  if (own.core_bytes != 0 && ::getrlimit(RLIMIT_CORE, &core) == 0) {
    core.rlim_max = std::min<rlim_t>(core.rlim_max, own.core_bytes);
    core.rlim_cur = core.rlim_max;
  }
  std::vector<ChildLimit> limits{{RLIMIT_CORE, core}, {RLIMIT_NOFILE, context.job_files}};
  const uint64_t open_files = own.open_files != 0 ? own.open_files : profile.open_files;
  const uint64_t file_bytes = own.file_bytes != 0 ? own.file_bytes : profile.file_bytes;
  if (open_files != 0) limits.back().value = {open_files, open_files};
  // Lower ones hold for the job, not for the mounts and rules that are made for it. To raise one takes a privilege that is gone by
  // then.
  rlimit now{};
  limits.back().late = ::getrlimit(RLIMIT_NOFILE, &now) == 0 && limits.back().value.rlim_max <= now.rlim_max;
  if (file_bytes != 0) limits.push_back({RLIMIT_FSIZE, {file_bytes, file_bytes}});
  return limits;
}

}  // namespace

std::vector<std::string> ProgramCandidates(const std::string& command, std::string_view path) {
  if (command.empty()) return {};
  if (command.find('/') != std::string::npos) return {command};
  std::vector<std::string> candidates;
  for (;;) {
    const size_t end = path.find(':');
    const std::string_view dir = path.substr(0, end);
    candidates.push_back(dir.empty() ? "./" + command : std::string(dir) + "/" + command);  // an empty entry is the workdir
    if (end == std::string_view::npos) return candidates;
    path.remove_prefix(end + 1);
  }
}

std::vector<std::string> JobEnvironment(const LaunchRequest& request, const std::string& mark) {
  const std::string index = std::to_string(request.key.index);
  std::vector<std::pair<std::string, std::string>> all = request.env;
  all.emplace_back("JOBD_JOB_ID", request.correlation_id + "/" + index);
  all.emplace_back("JOBD_BATCH_ID", request.correlation_id);
  all.emplace_back("JOBD_INDEX", index);
  all.emplace_back("JOBD_ATTEMPT", std::to_string(request.key.attempt));
  if (const size_t equals = mark.find('='); equals != std::string::npos) {
    all.emplace_back(mark.substr(0, equals), mark.substr(equals + 1));
  }
  std::unordered_set<std::string_view> seen;
  std::vector<std::string> environment;
  environment.reserve(all.size());
  for (size_t i = all.size(); i-- > 0;) {
    if (seen.insert(all[i].first).second) environment.push_back(all[i].first + "=" + all[i].second);
  }
  std::reverse(environment.begin(), environment.end());
  return environment;
}

base::Result<base::Fd> MakeStdin(const std::string& data) {
  if (data.empty()) return base::OpenAt(AT_FDCWD, "/dev/null", O_RDONLY);
  base::Fd memfd(::memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memfd) return base::SysError("making a memfd", errno);
  JOBD_RETURN_IF_ERROR(base::WriteAll(memfd.get(), data));
  // The job could open it again for writing through /proc/self/fd.
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  if (::fcntl(memfd.get(), F_ADD_SEALS, kSeals) != 0 || ::lseek(memfd.get(), 0, SEEK_SET) != 0) {
    return base::SysError("sealing a memfd", errno);
  }
  return memfd;
}

// The stack of a child that shares our memory: the deepest it goes is a few hundred bytes and what the kernel wants of it at exec.
constexpr size_t kChildStack = 32 * 1024;
// A child that shares our memory is killed for want of memory together with us. It takes none itself, but exec copies its texts on
// its group's account: so not where that could be all that the group may have.
constexpr uint64_t kEnoughForExec = 16 << 20;

struct SpawnMemory {
  std::vector<std::string> argv_texts;
  std::vector<std::string> environment_texts;
  std::vector<std::string> program_texts;
  std::vector<char*> argv;
  std::vector<char*> environment;
  std::vector<char*> programs;
  sandbox::PreparedIsolation isolation;
  std::vector<ChildLimit> limits;
  ChildPlan plan;
  alignas(16) std::array<std::byte, kChildStack> stack;
};

void DeleteSpawnMemory::operator()(SpawnMemory* memory) const { delete memory; }

base::Result<Spawned> Spawn(const ShimContext& context, const LaunchRequest& request, const Identity& identity,
                            const sandbox::Profile& profile, const sandbox::JobGroup& group, SpawnFds stdio) {
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) return base::SysError("making a pipe", errno);
  Spawned spawned;
  spawned.report.reset(report[0]);
  const base::Fd report_writer(report[1]);

  spawned.plan.reset(new SpawnMemory);  // not cleared: most of it is the stack
  SpawnMemory& memory = *spawned.plan;
  memory.argv_texts = request.argv;
  memory.environment_texts = JobEnvironment(request, group.mark());
  memory.program_texts = ProgramCandidates(request.argv[0], PathOf(request));
  memory.argv = Pointers(memory.argv_texts);
  memory.environment = Pointers(memory.environment_texts);
  memory.programs = Pointers(memory.program_texts);
  const uid_t uid = identity.switch_user ? identity.uid : ::geteuid();
  context.isolation->Prepare(profile,
                             {.workdir = request.workdir.empty() ? context.default_workdir : request.workdir,
                              .workdir_without_links = identity.workdir_without_links,
                              .tmp_bytes = request.limits.tmp_bytes,
                              .switch_user = identity.switch_user,
                              .uid = uid,
                              .gid = identity.gid,
                              .groups = &identity.groups,
                              .account = identity.account,
                              .group = &group},
                             memory.isolation);
  memory.limits = LimitsOf(context, request.limits, profile);

  ChildPlan& plan = memory.plan;
  plan.parent = profile.namespaces ? 0 : ::getpid();
  plan.report_fd = report_writer.get();
  plan.join_fds = group.join_fds().data();
  plan.join_count = group.join_fds().size();
  plan.ignored_signals = context.ignored_signals.data();
  plan.ignored_count = context.ignored_signals.size();
  plan.stdio[0] = stdio.in;
  plan.stdio[1] = stdio.out;
  plan.stdio[2] = stdio.err;
  plan.limits = memory.limits.data();
  plan.limit_count = memory.limits.size();
  plan.switch_user = identity.switch_user;
  plan.uid = uid;
  plan.gid = identity.gid;
  plan.groups = identity.groups.data();
  plan.group_count = identity.groups.size();
  plan.isolation = &memory.isolation.plan();
  plan.workdir = memory.isolation.workdir().c_str();
  plan.workdir_without_links = identity.workdir_without_links;
  plan.programs = memory.programs.data();
  plan.argv = memory.argv.data();
  plan.environment = memory.environment.data();

  // Not vfork(2): the child may hang for as long as somebody's file system likes (chdir, exec), and a suspended shim could neither
  // time it out nor cancel it.
  const uint64_t limit = request.limits.memory_bytes;
  if ((limit == 0 || limit >= kEnoughForExec) && CanShareMemory(context.sharing_setting)) {
    constexpr auto kMain = +[](const void* argument) noexcept { RunChild(*static_cast<const ChildPlan*>(argument)); };
    JOBD_ASSIGN_OR_RETURN(Cloned child, CloneSharing(group.birth_fd(), memory.stack, kMain, &plan));
    spawned.pid = child.pid;
    spawned.pidfd = std::move(child.pidfd);
    return spawned;
  }
  JOBD_ASSIGN_OR_RETURN(Cloned child, CloneProcess(group.birth_fd()));
  if (child.pid == 0) RunChild(plan);
  spawned.pid = child.pid;
  spawned.pidfd = std::move(child.pidfd);
  return spawned;
}

}  // namespace jobd::launch
