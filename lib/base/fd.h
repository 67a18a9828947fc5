// An owned file descriptor. A raw int means borrowed.
#pragma once

#include <unistd.h>

#include <utility>

namespace jobd::base {

// Owns at most one descriptor and closes it when destroyed. Move-only; not thread-safe. Errors of close(2) are ignored: on Linux
// the descriptor is gone whatever it answers; who must know that data reached the disk calls fsync(2) before.
class Fd {
 public:
  static constexpr int kNone = -1;

  Fd() = default;
  explicit Fd(int owned) : fd_(owned) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, kNone)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, kNone));
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ != kNone; }
  // Gives the descriptor away.
  [[nodiscard]] int release() { return std::exchange(fd_, kNone); }
  void reset(int owned = kNone) {
    const int old = std::exchange(fd_, owned);
    if (old != kNone) ::close(old);
  }

 private:
  int fd_ = kNone;
};

}  // namespace jobd::base
