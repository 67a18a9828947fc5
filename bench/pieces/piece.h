// What the benchmarks of pieces share: a wrong result ends a benchmark with an error, and files lie in a folder of its own.
#pragma once

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <stdlib.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/fd.h"

namespace jobd::bench {

// Some time in 2024, in nanoseconds since 1970: benchmarks do the same at every run.
inline constexpr int64_t kThen = 1'720'000'000'000'000'000;

// Ends the benchmark as failed, and so the program with status 1, unless `good`: for `if (!Expect(state, …, "…")) return;`, or
// `break` inside the loop. The fast path of an error must never pass for a fast piece.
inline bool Expect(benchmark::State& state, bool good, const char* what) {
  if (!good) state.SkipWithError(what);
  return good;
}

// `each` things are done in an iteration.
inline void CountItems(benchmark::State& state, int64_t each) { state.SetItemsProcessed(state.iterations() * each); }
inline void CountBytes(benchmark::State& state, size_t each) {
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(each));
}

// Removed with all that is in it. Below TMPDIR, so that one chooses the disk.
class TempFolder {
 public:
  TempFolder() : path_((std::filesystem::temp_directory_path() / "jobd-pieces-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
    fd_ = base::Fd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

 private:
  std::string path_;
  base::Fd fd_;
};

}  // namespace jobd::bench
