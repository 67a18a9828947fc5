// Writes COUNT pseudo-random bytes, all values among them, to standard output and, inverted, to standard error, in pieces of uneven
// length. `spew COUNT`: the same bytes each time.
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

namespace {

bool WriteAll(int fd, const unsigned char* data, size_t size) {
  while (size > 0) {
    const ssize_t n = write(fd, data, size);
    if (n <= 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  size_t left = argc > 1 ? strtoul(argv[1], nullptr, 10) : 0;
  uint32_t state = 12345;
  static unsigned char out[70000];
  static unsigned char err[70000];
  while (left > 0) {
    state = state * 1664525 + 1013904223;
    size_t piece = state % sizeof out + 1;
    if (piece > left) piece = left;
    for (size_t i = 0; i < piece; ++i) {
      state = state * 1664525 + 1013904223;
      out[i] = static_cast<unsigned char>(state >> 24);
      err[i] = static_cast<unsigned char>(~out[i]);
    }
    if (!WriteAll(1, out, piece) || !WriteAll(2, err, piece)) return 1;
    left -= piece;
  }
  return 0;
}
