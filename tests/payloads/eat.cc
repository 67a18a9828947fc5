// Takes what it is told to: `eat memory MIB` touches that much; `eat processes N` forks N that wait, and exits 3 when refused;
// `eat children N` forks N that end at once, waits for none and exits 0; `eat files N` opens N, and exits 3 when refused.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const size_t count = strtoul(argv[2], nullptr, 10);
  if (strcmp(argv[1], "memory") == 0) {
    for (size_t i = 0; i < count; ++i) {
      char* block = static_cast<char*>(malloc(1 << 20));
      if (block == nullptr) return 4;
      memset(block, static_cast<int>(i), 1 << 20);
    }
    return 0;
  }
  if (strcmp(argv[1], "files") == 0) {
    for (size_t i = 0; i < count; ++i) {
      if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return 3;
    }
    return 0;
  }
  const bool wait = strcmp(argv[1], "processes") == 0;
  for (size_t i = 0; i < count; ++i) {
    const pid_t pid = fork();
    if (pid < 0) return 3;
    if (pid == 0) {
      if (!wait) _exit(0);
      for (;;) pause();
    }
  }
  return 0;
}
