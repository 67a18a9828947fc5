// The gate's other half: SQLite's flushes, taken over by the test program. And that it does what it says.
#include "tests/unit/worker/disk_gate.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>

namespace {

std::mutex mutex;
std::condition_variable changed;
bool closed = false;
int hanging = 0;

void Pass() {
  std::unique_lock lock(mutex);
  if (!closed) return;
  ++hanging;
  changed.notify_all();
  changed.wait(lock, [] { return !closed; });
  --hanging;
}

std::atomic<bool> full = false;

bool HasNoRoom(int fd) {
  if (!full.load()) return false;
  char path[4096];
  const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof(path));
  const bool refused = length > 0 && std::string_view(path, static_cast<size_t>(length)).ends_with("jobd.db-wal");
  if (refused) errno = ENOSPC;
  return refused;
}

}  // namespace

extern "C" ssize_t write(int fd, const void* data, size_t size) { return HasNoRoom(fd) ? -1 : syscall(SYS_write, fd, data, size); }
extern "C" ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  return HasNoRoom(fd) ? -1 : syscall(SYS_pwrite64, fd, data, size, offset);
}
extern "C" int fdatasync(int fd) {
  Pass();
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
extern "C" int fsync(int fd) {
  Pass();
  return static_cast<int>(syscall(SYS_fsync, fd));
}

namespace jobd::test {

DiskGate::DiskGate() {
  const std::lock_guard lock(mutex);
  closed = true;
}
DiskGate::~DiskGate() { Open(); }

void DiskGate::WaitForOne() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [] { return hanging > 0; });
}

FullDisk::FullDisk() { full.store(true); }
void FullDisk::Clear() { full.store(false); }

void DiskGate::Open() {
  const std::lock_guard lock(mutex);
  closed = false;
  changed.notify_all();
}

}  // namespace jobd::test
