// How long whole programs take, in turn.
//
//   bench_lap ROUNDS [, COMMAND…]…    a line per round, with three figures for each command: ms from its start to its end, ms of
//                                      processor time, KiB of memory at most
//
// Their standard output is thrown away; one that fails ends it all.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

double Millis(const timeval& time) { return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3; }

bool Lap(const posix_spawn_file_actions_t& actions, char** argv) {
  const auto begin = std::chrono::steady_clock::now();
  pid_t pid = 0;
  if (::posix_spawnp(&pid, argv[0], &actions, nullptr, argv, environ) != 0) return false;
  int status = 0;
  rusage usage{};
  ::wait4(pid, &status, 0, &usage);
  const double wall = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%.3f %.3f %ld ", wall, Millis(usage.ru_utime) + Millis(usage.ru_stime), usage.ru_maxrss);
  return status == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  std::vector<char**> commands;
  for (int i = 2; i < argc; ++i) {
    if (std::string_view(argv[i]) != ",") continue;
    argv[i] = nullptr;  // ends the command before
    commands.push_back(argv + i + 1);
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  for (int round = std::atoi(argv[1]); round > 0; --round) {
    for (char** command : commands) {
      if (!Lap(actions, command)) {
        std::fprintf(stderr, "%s failed\n", command[0]);
        return 1;
      }
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
}
