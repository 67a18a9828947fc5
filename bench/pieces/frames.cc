// The wire between the server and the launcher.
#include "launch/contract/frames.h"

#include <sys/socket.h>

#include <array>
#include <span>
#include <string>
#include <variant>

#include "bench/pieces/piece.h"

namespace jobd::bench {
namespace {

// A launch whose standard input makes it as long as wanted.
launch::ServerFrame LaunchFrame(size_t stdin_bytes) {
  return launch::Launch{{.key = {.batch = 7, .index = 42, .attempt = 1},
                         .owner = "ann",
                         .correlation_id = "0190a5c4-1d2e-7abc-9def-0123456789ab",
                         .job_count = 1000,
                         .argv = {"/usr/bin/convert", "--input", "/data/in/image-42.png", "--output", "/data/out/image-42.jpg"},
                         .env = {{"LANG", "C.UTF-8"}, {"OMP_NUM_THREADS", "2"}, {"PATH", "/usr/bin:/bin"}},
                         .workdir = "/data",
                         .stdin_data = std::string(stdin_bytes, 'x'),
                         .profile = "standard",
                         .limits = {.memory_bytes = 512u << 20, .pids = 100},
                         .timeout = 600 * base::kNanosPerSecond}};
}

const launch::LaunchRequest* RequestIn(const launch::ServerFrame& frame) {
  const auto* const launch = std::get_if<launch::Launch>(&frame);
  return launch == nullptr ? nullptr : &launch->request;
}

// The last inline size, near kMaxFrame.
constexpr int64_t kLarge = 64 * 1000;
// Goes as a memfd.
constexpr int64_t kHuge = 1 << 20;

void FrameEncodeLaunch(benchmark::State& state) {
  const auto frame = LaunchFrame(static_cast<size_t>(state.range(0)));
  size_t size = 0;
  for (auto _ : state) {
    const std::string bytes = launch::EncodeFrame(frame);
    size = bytes.size();
    benchmark::DoNotOptimize(bytes.data());
  }
  (void)Expect(state, size > static_cast<size_t>(state.range(0)), "the frame is shorter than what is in it");
  CountItems(state, 1);
  CountBytes(state, size);
}
BENCHMARK(FrameEncodeLaunch)->ArgName("stdin")->Arg(0)->Arg(kLarge);

void FrameDecodeLaunch(benchmark::State& state) {
  const std::string bytes = launch::EncodeFrame(LaunchFrame(static_cast<size_t>(state.range(0))));
  for (auto _ : state) {
    const auto frame = launch::DecodeServerFrame(std::as_bytes(std::span(bytes)));
    const auto* const request = frame.ok() ? RequestIn(*frame) : nullptr;
    if (!Expect(state, request != nullptr && request->argv.size() == 5, "the frame cannot be read")) break;
  }
  CountItems(state, 1);
  CountBytes(state, bytes.size());
}
BENCHMARK(FrameDecodeLaunch)->ArgName("stdin")->Arg(0)->Arg(kLarge);

void FrameShimExited(benchmark::State& state) {
  const launch::LauncherFrame exited = launch::ShimExited{.key = {.batch = 7, .index = 42, .attempt = 1}};
  for (auto _ : state) {
    const std::string bytes = launch::EncodeFrame(exited);
    const auto frame = launch::DecodeLauncherFrame(std::as_bytes(std::span(bytes)));
    const auto* const back = frame.ok() ? std::get_if<launch::ShimExited>(&*frame) : nullptr;
    if (!Expect(state, back != nullptr && back->key.index == 42, "another frame came back")) break;
  }
  CountItems(state, 1);
}
BENCHMARK(FrameShimExited);

// Both ends in one thread: what the system calls cost, without anybody being woken.
void FrameThroughSocket(benchmark::State& state) {
  std::array<int, 2> raw{};
  if (!Expect(state, ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, raw.data()) == 0, "no socket")) return;
  const std::array<base::Fd, 2> ends{base::Fd(raw[0]), base::Fd(raw[1])};
  const auto frame = LaunchFrame(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    const base::Status sent = launch::SendFrame(ends[0].get(), frame);
    const auto got = launch::ReceiveServerFrame(ends[1].get(), true);
    const auto* const request = sent.ok() && got.ok() ? RequestIn(got->frame) : nullptr;
    if (!Expect(state, request != nullptr && request->key.index == 42, "the frame did not come through")) break;
  }
  CountItems(state, 1);
  CountBytes(state, launch::EncodeFrame(frame).size());
}
BENCHMARK(FrameThroughSocket)->ArgName("stdin")->Arg(0)->Arg(kLarge)->Arg(kHuge);

}  // namespace
}  // namespace jobd::bench
