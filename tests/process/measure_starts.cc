// Measures what a job costs through launcher and shim: `process_measure_starts [JOBS [WIDTH [PROGRAM [ARG…]]]]`, with PROFILE=NAME
// in the environment under another profile than `open`. Prints jobs per second of posix_spawn and of the launcher, in turn, the
// ratio of the medians, and the private memory of an idle shim.
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "base/files.h"
#include "tests/process/harness/launcher_host.h"

namespace jobd::process_test {
namespace {

struct Figures {
  double per_second = 0;
  double cpu_ms = 0;  // of a job, with all that was done for it
};

double CpuSeconds(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Runs `work`, after which every process it made has been waited for. It returns the seconds that count.
Figures Measure(uint32_t jobs, const std::function<double()>& work) {
  const double before = CpuSeconds(RUSAGE_SELF) + CpuSeconds(RUSAGE_CHILDREN);
  const double seconds = work();
  const double cpu = CpuSeconds(RUSAGE_SELF) + CpuSeconds(RUSAGE_CHILDREN) - before;
  return {jobs / seconds, cpu * 1000 / jobs};
}

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double Direct(uint32_t jobs, uint32_t width, const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  for (const std::string& arg : argv) pointers.push_back(const_cast<char*>(arg.c_str()));
  pointers.push_back(nullptr);
  const auto begin = std::chrono::steady_clock::now();
  uint32_t started = 0;
  uint32_t ended = 0;
  while (ended < jobs) {
    while (started < jobs && started - ended < width) {
      pid_t pid = 0;
      if (::posix_spawnp(&pid, argv[0].c_str(), nullptr, nullptr, pointers.data(), environ) != 0) std::abort();
      ++started;
    }
    ::waitpid(-1, nullptr, 0);
    ++ended;
  }
  return SecondsSince(begin);
}

double Launched(uint32_t jobs, uint32_t width, const std::vector<std::string>& argv) {
  const TempDir logs;
  LauncherHost host({.log_dir = logs.path()});
  const Batch batch(logs.path(), jobs);
  host.Send(launch::Hello{});
  host.Receive();
  const char* const profile = std::getenv("PROFILE");
  const auto request = [&](uint32_t index) {
    auto made = batch.Request(argv, index);
    if (profile != nullptr) made.profile = profile;
    return made;
  };
  const auto begin = std::chrono::steady_clock::now();
  uint32_t started = 0;
  uint32_t ended = 0;
  while (ended < jobs) {
    while (started < jobs && started - ended < width) host.Send(launch::Launch{request(++started)});
    if (!std::holds_alternative<launch::ShimExited>(host.Receive())) std::abort();
    ++ended;
  }
  return SecondsSince(begin);
}

// Of a shim whose job sleeps, after it has printed a line; 20 live beside it, as sharing pages matters.
void ShowShimMemory() {
  constexpr uint32_t kJobs = 20;
  const TempDir logs;
  LauncherHost host({.log_dir = logs.path()});
  const Batch batch(logs.path(), kJobs);
  for (uint32_t i = 1; i <= kJobs; ++i) host.Send(launch::Launch{batch.Request({"sh", "-c", "echo up; exec sleep 60"}, i)});
  for (uint32_t i = 1; i <= kJobs; ++i) {
    AwaitFile(batch.path(), std::to_string(i) + ".out", [](const std::string& text) { return text == "up\n"; });
  }
  std::vector<uint64_t> private_kib;
  for (uint32_t i = 1; i <= kJobs; ++i) {
    const auto rollup = base::ReadFile(AT_FDCWD, "/proc/" + std::to_string(batch.Slot(i).shim_pid) + "/smaps_rollup");
    uint64_t sum = 0;
    for (const char* key : {"Private_Clean:", "Private_Dirty:"}) {
      if (!rollup.ok()) break;
      sum += std::strtoull(rollup->c_str() + rollup->find(key) + std::strlen(key), nullptr, 10);
    }
    private_kib.push_back(sum);
  }
  std::sort(private_kib.begin(), private_kib.end());
  std::printf("idle shim, private memory: median %llu KiB, most %llu KiB\n",
              static_cast<unsigned long long>(private_kib[kJobs / 2]), static_cast<unsigned long long>(private_kib.back()));
  for (uint32_t i = 1; i <= kJobs; ++i) host.Send(launch::CancelJob{batch.Request({"x"}, i).key, 0});
  for (uint32_t i = 1; i <= kJobs; ++i) host.Receive();
}

}  // namespace

int Main(int argc, char** argv) {
  const auto jobs = static_cast<uint32_t>(argc > 1 ? std::atoi(argv[1]) : 1000);
  const auto width = static_cast<uint32_t>(argc > 2 ? std::atoi(argv[2]) : 2);
  std::vector<std::string> command(argv + std::min(argc, 3), argv + argc);
  if (command.empty()) command = {"/bin/true"};
  std::vector<Figures> direct;
  std::vector<Figures> launched;
  for (int round = 0; round < 5; ++round) {
    direct.push_back(Measure(jobs, [&] { return Direct(jobs, width, command); }));
    launched.push_back(Measure(jobs, [&] { return Launched(jobs, width, command); }));
    std::printf("posix_spawn %6.0f/s %.3f ms CPU   launcher %6.0f/s %.3f ms CPU\n", direct.back().per_second, direct.back().cpu_ms,
                launched.back().per_second, launched.back().cpu_ms);
  }
  const auto median = [](std::vector<Figures>& all, double Figures::*figure) {
    std::sort(all.begin(), all.end(), [&](const Figures& a, const Figures& b) { return a.*figure < b.*figure; });
    return all[all.size() / 2].*figure;
  };
  std::printf("medians: rate x %.2f, CPU x %.2f\n", median(launched, &Figures::per_second) / median(direct, &Figures::per_second),
              median(launched, &Figures::cpu_ms) / median(direct, &Figures::cpu_ms));
  ShowShimMemory();
  return 0;
}

}  // namespace jobd::process_test

int main(int argc, char** argv) { return jobd::process_test::Main(argc, argv); }
