#include "server/ops/runtime_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <future>
#include <thread>

#include "base/files.h"

namespace jobd::server {

namespace {

// For every user of the machine to read, whatever the umask we were started with.
base::Status Publish(int dir, const char* name, const std::string& text) {
  JOBD_RETURN_IF_ERROR(base::ReplaceFile(dir, name, text + "\n", 0644));
  if (fchmodat(dir, name, 0644, 0) != 0) return base::SysError(std::string("making ") + name + " readable", errno);
  return base::Ok();
}

}  // namespace

base::Status WriteServerPid(int dir) { return Publish(dir, "server.pid", std::to_string(getpid())); }

base::Status WriteAddress(int dir, const std::string& address) { return Publish(dir, "address", address); }

void RemoveAddress(int dir) { unlinkat(dir, "address", 0); }

base::Result<base::Fd> LockState(int dir, int timeout_ms) {
  JOBD_ASSIGN_OR_RETURN(base::Fd file, base::OpenAt(dir, "server.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) return base::SysError("locking server.lock", errno);
  // flock(2) has no time-out: a thread waits in it, and is left behind when it takes too long; the process ends then.
  std::promise<int> locked;
  std::future<int> answer = locked.get_future();
  std::thread([fd = file.get(), promise = std::move(locked)]() mutable {
    promise.set_value(flock(fd, LOCK_EX) == 0 ? 0 : errno);
  }).detach();
  if (answer.wait_for(std::chrono::milliseconds(timeout_ms)) != std::future_status::ready) {
    // The thread's borrowed descriptor must stay what it is for as long as the process lives.
    (void)file.release();
    return base::Error(base::Code::kUnavailable, "another jobd-server holds the state directory");
  }
  if (const int failed = answer.get(); failed != 0) return base::SysError("locking server.lock", failed);
  return file;
}

}  // namespace jobd::server
