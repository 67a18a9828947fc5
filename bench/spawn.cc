// The least that starting programs costs: posix_spawn and wait, nothing kept, nothing recorded.
//
//   bench_spawn WIDTH COUNT COMMAND…    runs it COUNT times, WIDTH at once; {} in an argument becomes the number of the run
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const int width = std::atoi(argv[1]);
  const int count = std::atoi(argv[2]);
  int started = 0;
  for (int ended = 0; ended < count; ++ended) {
    while (started < count && started - ended < width) {
      ++started;
      std::vector<std::string> args(argv + 3, argv + argc);
      std::vector<char*> pointers;
      for (std::string& arg : args) {
        if (const size_t at = arg.find("{}"); at != std::string::npos) arg.replace(at, 2, std::to_string(started));
        pointers.push_back(arg.data());
      }
      pointers.push_back(nullptr);
      pid_t pid = 0;
      if (::posix_spawnp(&pid, pointers[0], nullptr, nullptr, pointers.data(), environ) != 0) return 1;
    }
    int status = 0;
    ::waitpid(-1, &status, 0);
    if (status != 0) {
      std::fprintf(stderr, "%s failed: %x\n", argv[3], static_cast<unsigned>(status));
      return 1;
    }
  }
  return 0;
}
