#include "logging/log_writer.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>
#include <vector>

#include "base/files.h"

namespace jobd::logging {

namespace {

constexpr int kQueueBytes = 1 << 20;
constexpr size_t kLongestLine = 1u << 18;
constexpr int kPatienceMillis = 100;

void CloseAllBut(int one, int two) {
  const auto [low, high] = std::minmax(one, two);
  if (low > 0) ::syscall(SYS_close_range, 0u, static_cast<unsigned>(low) - 1, 0);
  if (high > low + 1) ::syscall(SYS_close_range, static_cast<unsigned>(low) + 1, static_cast<unsigned>(high) - 1, 0);
  ::syscall(SYS_close_range, static_cast<unsigned>(high) + 1, ~0u, 0);
}

void AwaitEnd(pid_t pid, int milliseconds) {
  const base::Fd end(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended{end.get(), POLLIN, 0};
  if (end) (void)::poll(&ended, 1, milliseconds);
}

[[noreturn]] void WriteAllThatComes(int socket, int file) {
  std::vector<char> line(kLongestLine);
  for (;;) {
    const ssize_t size = ::recv(socket, line.data(), line.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) ::_exit(0);
    // A log that cannot be written must not end the service: what the disk refuses is lost.
    (void)base::WriteAll(file, {line.data(), static_cast<size_t>(size)});
  }
}

}  // namespace

// `open`, in the process, which keeps `keep` of our descriptors (-1: none): the file's descriptor, or -errno, which is told first.
template <typename Open>
base::Result<LogWriter::Started> LogWriter::Fork(int keep, Open open) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return base::SysError("making a socket pair", errno);
  base::Fd ours(ends[0]);
  base::Fd theirs(ends[1]);
  // As root beyond what the machine allows to all.
  if (::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kQueueBytes, sizeof kQueueBytes) != 0)
    (void)::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &kQueueBytes, sizeof kQueueBytes);
  const pid_t pid = ::fork();
  if (pid < 0) return base::SysError("creating a process", errno);
  if (pid == 0) {
    // It ends by itself, behind us: what ends a service or comes from a terminal is not for it.
    ::setpgid(0, 0);
    ::prctl(PR_SET_NAME, "jobd-log");
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    // Before it may have to wait for the disk: our locks are not its to hold.
    CloseAllBut(theirs.get(), keep >= 0 ? keep : theirs.get());
    const int file = open();
    const int error = file < 0 ? -file : 0;
    (void)::send(theirs.get(), &error, sizeof error, MSG_NOSIGNAL);
    if (file < 0) ::_exit(0);
    WriteAllThatComes(theirs.get(), file);
  }
  theirs.reset();
  int error = ETIMEDOUT;
  pollfd answer{ours.get(), POLLIN, 0};
  if (::poll(&answer, 1, kPatienceMillis) == 1 && ::recv(ours.get(), &error, sizeof error, 0) != sizeof error) error = ECHILD;
  if (error == 0) return Started{.socket = std::move(ours), .pid = pid};
  leaving_.push_back(pid);
  return base::SysError("the process that writes the log", error);
}

void LogWriter::Take(Started started) {
  Leave(0);
  socket_ = std::move(started.socket);
  pid_ = started.pid;
}

base::Status LogWriter::Start(int file) {
  JOBD_ASSIGN_OR_RETURN(Started started, Fork(file, [file] { return file; }));
  Take(std::move(started));
  return base::Ok();
}

base::Status LogWriter::StartAnew(const std::string& path, uid_t uid, gid_t gid) {
  JOBD_ASSIGN_OR_RETURN(Started started, Fork(-1, [&] {
                          const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
                          if (file < 0) return -errno;
                          // The two daemons share the file: made by root, it must be the other's to open, as the one before was.
                          struct stat info {};
                          if (::fstat(file, &info) == 0 && info.st_uid != uid) (void)!::fchown(file, uid, gid);
                          return file;
                        }));
  Take(std::move(started));
  return base::Ok();
}

bool LogWriter::Put(std::string_view line) {
  if (!leaving_.empty()) std::erase_if(leaving_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
  line = line.substr(0, kLongestLine);
  for (;;) {
    if (::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED) Leave(0);
    return false;
  }
}

void LogWriter::Leave(int milliseconds) {
  socket_.reset();
  if (pid_ != 0) leaving_.push_back(std::exchange(pid_, 0));
  if (milliseconds > 0 && !leaving_.empty()) AwaitEnd(leaving_.back(), milliseconds);
  std::erase_if(leaving_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
}

}  // namespace jobd::logging
