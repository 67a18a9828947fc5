#include "launch/shim/capture.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <utility>

namespace jobd::launch {

namespace {

constexpr size_t kBufferSize = 256 * 1024;
constexpr size_t kKeptSize = 4096;           // stays when idle: most jobs say little at a time
constexpr int kPipeSize = 1024 * 1024;       // the most an unprivileged process may ask for (fs.pipe-max-size)
constexpr base::Nanos kGather = 100'000;     // of output, when it keeps coming
constexpr size_t kPlenty = 64 * 1024;        // a writer that is this fast between two reads need not be waited for
constexpr base::Nanos kSilence = 2'000'000;  // a stream that is silent for this long has stopped coming
// Output is dense, and is left to gather, when its lines are at most this far apart or several come at a time. A line every
// millisecond is not: nothing would gather in so short a time, and followers would wait for it.
constexpr base::Nanos kDense = 250'000;
constexpr size_t kSeveral = 4096;

base::Result<std::pair<base::Fd, base::Fd>> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::SysError("making a pipe", errno);
  std::pair<base::Fd, base::Fd> pipe{base::Fd(ends[0]), base::Fd(ends[1])};
  // Ours alone: the job's end is another open file, and stays blocking whatever it does to it.
  if (::fcntl(pipe.first.get(), F_SETFL, O_NONBLOCK) != 0) return base::SysError("making a pipe non-blocking", errno);
  return pipe;
}

}  // namespace

base::Result<Capture> Capture::Create(JobLog& log, Pipes& pipes) {
  JOBD_ASSIGN_OR_RETURN(auto out, MakePipe());
  JOBD_ASSIGN_OR_RETURN(auto err, MakePipe());
  // Here, where its lack keeps the job from starting, and not when there is output to read. Untouched it costs no memory.
  void* memory = ::mmap(nullptr, kBufferSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return base::SysError("taking memory for output", errno);
  pipes.out = std::move(out.second);
  pipes.err = std::move(err.second);
  return Capture(log, std::move(out.first), std::move(err.first), Buffer(static_cast<std::byte*>(memory)));
}

Capture::Capture(JobLog& log, base::Fd out, base::Fd err, Buffer buffer)
    : log_(&log), pipes_{std::move(out), std::move(err)}, buffer_(std::move(buffer)) {}

void Capture::Unmap::operator()(std::byte* buffer) const { ::munmap(buffer, kBufferSize); }

std::array<pollfd, 2> Capture::PollSet() const { return {{{pipes_[0].get(), POLLIN, 0}, {pipes_[1].get(), POLLIN, 0}}}; }

void Capture::Grow() {
  if (std::exchange(grown_, true)) return;
  // Best effort: a refusal (fs.pipe-user-pages-soft) leaves 64 KiB, which is slower and loses nothing.
  for (const base::Fd& pipe : pipes_) {
    if (pipe) ::fcntl(pipe.get(), F_SETPIPE_SZ, kPipeSize);
  }
}

void Capture::Read(const std::array<pollfd, 2>& ready, const base::Clock& clock) {
  if (ready[0].revents == 0 && ready[1].revents == 0) return;
  const base::Nanos since = clock.Monotonic() - last_read_;
  if (last_read_ != 0 && since < kSilence) {
    Grow();
    const bool gathers = since < kDense || last_size_ >= kSeveral;
    const timespec gather{0, kGather};
    if (gathers && last_size_ < kPlenty) ::nanosleep(&gather, nullptr);
  }
  last_size_ = 0;
  const base::Nanos time = clock.Realtime();
  const base::Nanos now = clock.Monotonic();
  for (size_t stream = 0; stream < pipes_.size(); ++stream) {
    if (ready[stream].revents != 0) ReadOnce(stream, time, now);
  }
  last_read_ = clock.Monotonic();
}

bool Capture::ReadOnce(size_t stream, base::Nanos time, base::Nanos now) {
  const ssize_t n = ::read(pipes_[stream].get(), buffer_.get(), kBufferSize);
  if (n < 0) return errno == EINTR;
  if (n == 0) {
    pipes_[stream].reset();
    return false;
  }
  const auto size = static_cast<size_t>(n);
  last_size_ += size;
  used_ = used_ || size > kKeptSize;
  log_->Append(stream == 0 ? Stream::kOut : Stream::kErr, std::span<const std::byte>(buffer_.get(), size), time, now);
  return true;
}

void Capture::Drain(const base::Clock& clock) {
  for (size_t stream = 0; stream < pipes_.size(); ++stream) {
    // The job's processes are gone. What they wrote is bounded; what somebody whom they gave the pipe still writes is not.
    int waiting = 0;
    if (!pipes_[stream] || ::ioctl(pipes_[stream].get(), FIONREAD, &waiting) != 0) continue;
    const size_t end = last_size_ + static_cast<size_t>(waiting);
    while (pipes_[stream] && last_size_ < end && ReadOnce(stream, clock.Realtime(), clock.Monotonic())) {
    }
  }
}

void Capture::Idle() {
  if (!std::exchange(used_, false)) return;
  ::madvise(buffer_.get() + kKeptSize, kBufferSize - kKeptSize, MADV_DONTNEED);
}

}  // namespace jobd::launch
