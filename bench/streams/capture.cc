// How fast a job may write when nobody follows, beside a loop of read and write from the same pipe to a file.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/fd.h"
#include "base/files.h"
#include "bench/streams/setup.h"

namespace jobd::bench {
namespace {

constexpr size_t kBuffer = 256 * 1024;
constexpr int kPipe = 1024 * 1024;

// Writes as much to a file and deletes it, so that what follows finds memory that the machine has in hand: on a virtual one pages
// that were not used for a while cost several times as much as the copying that is to be measured.
void WarmMemory(const Host& host, uint64_t bytes) {
  const std::string path = host.daemon().folder() + "/warm";
  const base::Fd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const std::string piece(kBuffer, 'x');
  for (uint64_t done = 0; done < bytes; done += piece.size()) {
    if (!base::WriteAll(out.get(), piece).ok()) std::abort();
  }
  ::unlink(path.c_str());
}

// What the writer says: bytes a second.
double Said(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

double Captured(const Host& host, const std::vector<std::string>& args) {
  const std::string id = host.Run(args);
  const double rate = Said(host.daemon().Ok({"logs", "--stderr", id}));
  host.Remove(id);
  return rate;
}

// The writer on a pipe of the same size, and the same buffer.
double Copied(const Host& host, const std::vector<std::string>& args) {
  int ends[2];
  int said[2];
  if (::pipe2(ends, O_CLOEXEC) != 0 || ::pipe2(said, O_CLOEXEC) != 0) std::abort();
  ::fcntl(ends[0], F_SETPIPE_SZ, kPipe);
  const std::string path = host.daemon().folder() + "/copy";
  const pid_t writer = ::vfork();
  if (writer == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(said[1], STDERR_FILENO);
    ::execl(host.writer().c_str(), "writer", args[0].c_str(), args[1].c_str(), nullptr);
    ::_exit(127);
  }
  const base::Fd in(ends[0]);
  const base::Fd text(said[0]);
  ::close(ends[1]);
  ::close(said[1]);
  {
    const base::Fd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    std::vector<char> buffer(kBuffer);
    for (ssize_t n = 0; (n = ::read(in.get(), buffer.data(), buffer.size())) > 0;) {
      if (::write(out.get(), buffer.data(), static_cast<size_t>(n)) != n) std::abort();
    }
  }
  const auto rate = base::ReadAll(text.get(), 4096);
  ::waitpid(writer, nullptr, 0);
  ::unlink(path.c_str());
  return rate.ok() ? Said(*rate) : 0;
}

void Compare(const Host& host, const Options& options, Table& table, const std::string& what,
             const std::vector<std::string>& args) {
  std::vector<double> jobd;
  std::vector<double> copy;
  const uint64_t bytes = std::stoull(args[1]);
  for (int round = 0; round < options.rounds; ++round) {
    WarmMemory(host, bytes);
    jobd.push_back(Captured(host, args));
    WarmMemory(host, bytes);
    copy.push_back(Copied(host, args));
  }
  table.Row(what + ", jobd", Rate(jobd));
  table.Row(what + ", read/write copy", Rate(copy));
  const double ratio = MedianRatio(jobd, copy);
  table.Row(what + ", jobd / copy", Ratio(ratio), "≥ 0.9", ratio >= 0.9);
}

}  // namespace

void MeasureCapture(const Host& host, const Options& options) {
  Table table("Capture of a job's output, without followers", stdout);
  Compare(host, options, table, "64 KiB writes", {"blocks", std::to_string(options.quick ? 256u << 20 : 512u << 20)});
  Compare(host, options, table, "80-byte lines", {"lines", std::to_string(options.quick ? 80'000'000 : 320'000'000)});
}

}  // namespace jobd::bench
