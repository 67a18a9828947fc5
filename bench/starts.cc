// What isolation costs: jobs per second, two wide, under each profile through the real launcher and shim (captured, recorded),
// beside a bare posix_spawn, bubblewrap and the container runtimes that are installed (which capture and record nothing).
//
//   bench_starts [JOBS [ROUNDS [PROGRAM [ARG…]]]]      (1000, 5, /bin/true; as root)
//
// All arms in turn in each round; medians, and the median of each round's ratio to `open` and to posix_spawn; CPU per job; and how
// long a job takes from its request to its end when there is one at a time.
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "tests/process/harness/sandbox_host.h"

namespace jobd::bench {
namespace {

constexpr uint32_t kWidth = 2;
using Argv = std::vector<std::string>;

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Jobs per second of a command made for each job by its number.
double Spawned(uint32_t jobs, uint32_t width, const std::function<Argv(uint32_t)>& command) {
  const auto begin = std::chrono::steady_clock::now();
  uint32_t started = 0;
  for (uint32_t ended = 0; ended < jobs; ++ended) {
    while (started < jobs && started - ended < width) {
      Argv argv = command(started++);
      std::vector<char*> pointers;
      for (std::string& arg : argv) pointers.push_back(arg.data());
      pointers.push_back(nullptr);
      pid_t pid = 0;
      if (::posix_spawnp(&pid, pointers[0], nullptr, nullptr, pointers.data(), environ) != 0) std::abort();
    }
    int status = 0;
    ::waitpid(-1, &status, 0);
    if (status != 0) {
      std::fprintf(stderr, "%s failed: %x\n", command(0)[0].c_str(), static_cast<unsigned>(status));
      std::exit(1);
    }
  }
  return jobs / SecondsSince(begin);
}

// Profiles that differ by one step from the one before or beside them, so that each step's cost is a difference of two lines.
sandbox::Profiles BenchProfiles() {
  auto profiles = sandbox::Profiles::Parse("profiles.toml", R"(
[profile.filter]
inherits = "open"
filter = "standard"
[profile.namespaces]
inherits = "open"
namespaces = true
[profile.read-only]
read_only = true
[profile.landlocked]
landlock = true
[profile.offline]
network = false
)");
  if (!profiles.ok()) std::abort();
  return *std::move(profiles);
}

// So that what shims used is known: those that wait for a job outlive their launcher by a moment.
class Subreaper {
 public:
  Subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }
  ~Subreaper() {
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  }
};

double LaunchedBy(process_test::LauncherHost& host, const std::string& log_dir, uint32_t jobs, uint32_t width,
                  const std::string& profile, const Argv& argv) {
  const process_test::Batch batch(log_dir, jobs);
  host.Send(launch::Hello{});
  host.Receive();
  const auto begin = std::chrono::steady_clock::now();
  uint32_t started = 0;
  for (uint32_t ended = 0; ended < jobs; ++ended) {
    while (started < jobs && started - ended < width) {
      auto request = batch.Request(argv, ++started);
      request.profile = profile;
      host.Send(launch::Launch{request});
    }
    if (!std::holds_alternative<launch::ShimExited>(host.Receive())) std::abort();
  }
  const double rate = jobs / SecondsSince(begin);
  for (uint32_t i = 1; i <= jobs; ++i) {
    if (!batch.Slot(i).exit.success() || batch.Slot(i).cause != launch::EndCause::kSelf) {
      std::fprintf(stderr, "%s: job %u failed at: %s\n", profile.c_str(), i,
                   std::string(launch::StepText(batch.Slot(i).step)).c_str());
      std::exit(1);
    }
  }
  return rate;
}

double Launched(uint32_t jobs, uint32_t width, const std::string& profile, const Argv& argv) {
  const Subreaper subreaper;
  const test::TempDir logs;
  process_test::HostOptions options;
  options.log_dir = logs.path();
  options.hidden = {logs.path()};
  options.policy.profiles = BenchProfiles();
  process_test::LauncherHost host(options);
  return LaunchedBy(host, logs.path(), jobs, width, profile, argv);
}

bool Installed(const char* program) {
  for (const char* dir : {"/usr/bin/", "/usr/sbin/", "/usr/local/bin/"}) {
    if (::access((std::string(dir) + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

// An OCI bundle of the machine's /usr: the same namespaces as `standard`, without a filter.
void WriteBundle(const std::string& dir, const Argv& argv) {
  std::string args;
  for (const std::string& arg : argv) args += (args.empty() ? "\"" : ", \"") + arg + "\"";
  for (const char* folder : {"usr", "proc", "dev", "tmp"}) std::filesystem::create_directories(dir + "/rootfs/" + folder);
  for (const char* folder : {"bin", "lib", "lib64"}) {
    std::filesystem::create_symlink("usr/" + std::string(folder), dir + "/rootfs/" + folder);
  }
  std::ofstream(dir + "/config.json") << R"({"ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": true},
 "process": {"terminal": false, "user": {"uid": 70000, "gid": 70000}, "cwd": "/", "noNewPrivileges": true,
  "env": ["PATH=/usr/bin:/bin"], "args": [)"
                                      << args << R"(]},
 "mounts": [{"destination": "/usr", "type": "bind", "source": "/usr", "options": ["bind", "ro"]},
  {"destination": "/proc", "type": "proc", "source": "proc"},
  {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
  {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev"]}],
 "linux": {"namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}})";
}

Argv RuntimeCommand(const std::string& runtime, const std::string& bundle, uint32_t number) {
  return {runtime, "run", "--bundle", bundle, "bench-" + std::to_string(::getpid()) + "-" + std::to_string(number)};
}

// Some runtimes refuse some layouts of cgroups.
bool Works(const Argv& argv) {
  std::string line;
  for (const std::string& arg : argv) line += arg + " ";
  return std::system((line + ">/dev/null 2>&1").c_str()) == 0;
}

struct Arm {
  std::string name;
  std::function<double(uint32_t jobs, uint32_t width)> run;  // jobs a second
  bool slow = false;                                         // a tenth of the jobs will do
  std::vector<double> rates{};
  std::vector<double> alone_ms{};  // of a job when there is one at a time: from the request to its end
  std::vector<double> cpu_ms{};    // of a job, with all that was done for it and waited for
};

double CpuMillis() {
  double sum = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    ::getrusage(who, &usage);
    for (const timeval& t : {usage.ru_utime, usage.ru_stime}) {
      sum += static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
    }
  }
  return sum;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double MedianRatio(const Arm& arm, const Arm& base) {
  std::vector<double> ratios;
  for (size_t i = 0; i < arm.rates.size(); ++i) ratios.push_back(arm.rates[i] / base.rates[i]);
  return Median(ratios);
}

}  // namespace

int Main(int argc, char** argv) {
  const auto jobs = static_cast<uint32_t>(argc > 1 ? std::atoi(argv[1]) : 1000);
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  Argv command(argv + std::min(argc, 3), argv + argc);
  if (command.empty()) command = {"/bin/true"};

  std::vector<Arm> arms;
  arms.push_back({"posix_spawn", [&](uint32_t n, uint32_t width) { return Spawned(n, width, [&](uint32_t) { return command; }); }});
  for (const char* profile : {"open", "filter", "namespaces", "standard", "read-only", "landlocked", "offline", "strict"}) {
    arms.push_back({profile, [&, profile](uint32_t n, uint32_t width) { return Launched(n, width, profile, command); }});
  }
  if (Installed("bwrap")) {
    Argv bwrap = {"bwrap",  "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--bind",  "/",   "/",
                  "--proc", "/proc",         "--dev",         "/dev",          "--tmpfs", "/tmp"};
    bwrap.insert(bwrap.end(), command.begin(), command.end());
    arms.push_back(
        {"bubblewrap", [bwrap](uint32_t n, uint32_t width) { return Spawned(n, width, [&](uint32_t) { return bwrap; }); }});
  }
  const test::TempDir bundle;
  WriteBundle(bundle.path(), command);
  for (const char* runtime : {"crun", "runc"}) {
    if (!Installed(runtime)) continue;
    if (!Works(RuntimeCommand(runtime, bundle.path(), 0))) {
      std::printf("%s does not run here\n", runtime);
      continue;
    }
    arms.push_back({runtime,
                    [&, runtime](uint32_t n, uint32_t width) {
                      return Spawned(n, width, [&](uint32_t number) { return RuntimeCommand(runtime, bundle.path(), number + 1); });
                    },
                    true});
  }
  for (int round = 0; round < rounds; ++round) {
    for (Arm& arm : arms) {
      const uint32_t count = arm.slow ? std::max(jobs / 10, 20u) : jobs;
      const double before = CpuMillis();
      arm.rates.push_back(arm.run(count, kWidth));
      arm.cpu_ms.push_back((CpuMillis() - before) / count);
      arm.alone_ms.push_back(1e3 / arm.run(std::max(count / 5, 10u), 1));
    }
  }
  std::printf("%-12s %8s %8s %8s %12s %8s %8s %9s\n", "", "median/s", "least", "most", "posix_spawn", "open", "CPU ms", "alone ms");
  for (const Arm& arm : arms) {
    std::printf("%-12s %8.0f %8.0f %8.0f      x %.2f  x %.2f %8.3f %9.2f\n", arm.name.c_str(), Median(arm.rates),
                *std::min_element(arm.rates.begin(), arm.rates.end()), *std::max_element(arm.rates.begin(), arm.rates.end()),
                MedianRatio(arm, arms[0]), MedianRatio(arm, arms[1]), Median(arm.cpu_ms), Median(arm.alone_ms));
  }
  return 0;
}

}  // namespace jobd::bench

int main(int argc, char** argv) { return jobd::bench::Main(argc, argv); }
