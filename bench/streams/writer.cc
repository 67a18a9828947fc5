// What the measured jobs run: writes to standard output in one of three ways, and says on standard error how fast that went.
//
//   bench_stream_writer blocks BYTES           64 KiB at a time
//   bench_stream_writer lines BYTES            80 bytes at a time
//   bench_stream_writer ticks N MICROS FIFO    "0", then, once somebody has opened the FIFO to write, N lines with the monotonic
//                                              time in nanoseconds at which each was written, one in MICROS
#include <fcntl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int64_t kSecond = 1'000'000'000;

int64_t Now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

void WriteAll(const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t n = ::write(STDOUT_FILENO, bytes, size);
    if (n <= 0) std::_Exit(1);
    bytes += n;
    size -= static_cast<size_t>(n);
  }
}

int Copies(size_t piece, uint64_t bytes) {
  std::string text(piece, 'x');
  for (size_t i = 79; i < piece; i += 80) text[i] = '\n';
  const int64_t begin = Now();
  for (uint64_t done = 0; done < bytes; done += piece) WriteAll(text.data(), text.size());
  const auto nanos = static_cast<double>(Now() - begin);
  std::fprintf(stderr, "%.0f\n", static_cast<double>(bytes) / nanos * static_cast<double>(kSecond));
  return 0;
}

int Ticks(int count, int micros, const char* fifo) {
  WriteAll("0\n", 2);
  if (::open(fifo, O_RDONLY | O_CLOEXEC) < 0) return 1;
  timespec next{};
  ::clock_gettime(CLOCK_MONOTONIC, &next);
  for (int i = 0; i < count; ++i) {
    next.tv_nsec += micros * 1000L;
    next.tv_sec += next.tv_nsec / kSecond;
    next.tv_nsec %= kSecond;
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr);
    char line[32];
    const int size = std::snprintf(line, sizeof line, "%lld\n", static_cast<long long>(Now()));
    WriteAll(line, static_cast<size_t>(size));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody may be left to open the FIFO
  if (argc == 3 && std::strcmp(argv[1], "blocks") == 0) return Copies(64 * 1024, std::strtoull(argv[2], nullptr, 10));
  if (argc == 3 && std::strcmp(argv[1], "lines") == 0) return Copies(80, std::strtoull(argv[2], nullptr, 10));
  if (argc == 5 && std::strcmp(argv[1], "ticks") == 0) return Ticks(std::atoi(argv[2]), std::atoi(argv[3]), argv[4]);
  return 2;
}
