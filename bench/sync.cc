// What the disk takes to keep something: 4 KiB appended and fdatasync'ed, one after the other. Most of an accepted submission on a
// slow one.
//
//   bench_sync ROUNDS FILE    ms, a line each; the file is removed
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/fd.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const jobd::base::Fd file(::open(argv[2], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return 1;
  constexpr std::array<char, 4096> kBlock{};
  for (int round = std::atoi(argv[1]); round > 0; --round) {
    const auto begin = std::chrono::steady_clock::now();
    if (::write(file.get(), kBlock.data(), kBlock.size()) != static_cast<ssize_t>(kBlock.size())) return 1;
    if (::fdatasync(file.get()) != 0) return 1;
    std::printf("%.4f\n", std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  ::unlink(argv[2]);
  return 0;
}
