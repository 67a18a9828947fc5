#include "server/ops/heap_trimmer.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "base/thread_name.h"

namespace jobd::server {
namespace {

constexpr auto kInterval = std::chrono::seconds(2);
// Free and resident; while calls go on they will want some of it again.
constexpr uint64_t kWorthItIdle = 8u << 20;
constexpr uint64_t kWorthItBusy = 48u << 20;
// The program itself, its libraries and stacks.
constexpr uint64_t kProgram = 24u << 20;

uint64_t Resident() {
  // proc(5): the second number of statm, in pages.
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen("/proc/self/statm", "re"));
  unsigned long size = 0;
  unsigned long resident = 0;
  if (!file || std::fscanf(file.get(), "%lu %lu", &size, &resident) != 2) return 0;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

HeapTrimmer::HeapTrimmer()
    : thread_([this] {
        base::NameThisThread("memory");
        Run();
      }) {}

HeapTrimmer::~HeapTrimmer() {
  *stop_.Lock() = true;
  changed_.notify_all();
  thread_.join();
}

void HeapTrimmer::Wake() {
  // With the lock, so that the thread is not between looking and waiting.
  const auto stop = stop_.Lock();
  changed_.notify_all();
}

void HeapTrimmer::Run() {
  for (;;) {
    {
      auto stop = stop_.Lock();
      stop.Wait(changed_, [&] { return *stop || used_.load(); });
      if (*stop) return;
      used_ = false;
      if (stop.WaitFor(changed_, kInterval, [&] { return *stop; })) return;
    }
    TrimIfWorthIt(used_);
  }
}

void HeapTrimmer::TrimIfWorthIt(bool busy) {
  const uint64_t resident = Resident();
  const struct mallinfo2 heap = mallinfo2();
  const uint64_t used = heap.uordblks + heap.hblkhd + kProgram;
  const uint64_t worth_it = busy ? kWorthItBusy : kWorthItIdle;
  if (resident < used + worth_it || heap.fordblks < worth_it) return;
  // What the last time did not give back is between what is in use.
  if (busy && resident < left_after_trim_ + kWorthItBusy) return;
  malloc_trim(0);
  left_after_trim_ = Resident();
}

}  // namespace jobd::server
