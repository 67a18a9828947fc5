// Benchmarks of single pieces of jobd: where a run of the whole has become slower, one of these has, too.
//
//   bench_pieces [--benchmark_filter=REGEX] [--benchmark_min_time=S] [--benchmark_format=json] …
//
// Status 1 when a benchmark's result was wrong, or when none was run.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

namespace {

// Reports as the flags say, and remembers whether a benchmark failed, which the library does not tell.
class Reporter final : public benchmark::BenchmarkReporter {
 public:
  bool failed() const { return failed_; }

  bool ReportContext(const Context& context) override { return shown_->ReportContext(context); }
  void ReportRuns(const std::vector<Run>& runs) override {
    failed_ = failed_ || std::any_of(runs.begin(), runs.end(), [](const Run& run) { return run.error_occurred; });
    shown_->ReportRuns(runs);
  }
  void Finalize() override { shown_->Finalize(); }

 private:
  std::unique_ptr<BenchmarkReporter> shown_{benchmark::CreateDefaultDisplayReporter()};
  bool failed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  Reporter reporter;
  const size_t ran = benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  if (reporter.failed()) std::fprintf(stderr, "bench_pieces: a benchmark failed\n");
  return ran == 0 || reporter.failed() ? 1 : 0;
}
