// What a submission costs before it reaches the store.
#include "worker/model/admission.h"

#include "bench/pieces/piece.h"
#include "bench/pieces/specs.h"
#include "worker/store/spec_codec.h"

namespace jobd::bench {
namespace {

void AdmissionCheckBatch(benchmark::State& state) {
  const auto jobs = TypicalSpecs(static_cast<size_t>(state.range(0)));
  const auto options = TypicalOptions();
  const auto limits = TypicalLimits();
  const auto submitter = TypicalSubmitter();
  for (auto _ : state) {
    const base::Status status = worker::CheckBatch(submitter, options, jobs, limits);
    if (!Expect(state, status.ok(), "a good batch was refused")) break;
  }
  CountItems(state, state.range(0));
}
BENCHMARK(AdmissionCheckBatch)->ArgName("jobs")->Arg(1)->Arg(10'000);

void AdmissionPinBounds(benchmark::State& state) {
  const auto limits = TypicalLimits();
  const auto submitter = TypicalSubmitter();
  const worker::JobSpec spec{.argv = {"true"}};
  for (auto _ : state) {
    worker::JobSpec job = spec;
    worker::PinBounds(submitter, limits, job);
    if (!Expect(state, job.limits.pids == 1000, "the bound was not written down")) break;
  }
  CountItems(state, 1);
}
BENCHMARK(AdmissionPinBounds);

// `distinct` variables, each given twice.
void AdmissionDuplicateVariables(benchmark::State& state) {
  worker::JobSpec spec;
  const auto distinct = static_cast<size_t>(state.range(0));
  for (size_t i = 0; i < 2 * distinct; ++i) spec.env.emplace_back("VARIABLE_" + std::to_string(i % distinct), std::to_string(i));
  for (auto _ : state) {
    worker::JobSpec job = spec;
    worker::KeepLastOfDuplicates(job);
    if (!Expect(state, job.env.size() == distinct && job.env.front().second == std::to_string(distinct), "not the last stayed"))
      break;
  }
  CountItems(state, 2 * state.range(0));
}
BENCHMARK(AdmissionDuplicateVariables)->ArgName("distinct")->Arg(4)->Arg(5000);

void SpecEncode(benchmark::State& state) {
  const auto spec = TypicalSpec(7);
  size_t size = 0;
  for (auto _ : state) {
    const std::string bytes = worker::EncodeSpec(spec);
    size = bytes.size();
    benchmark::DoNotOptimize(bytes.data());
  }
  (void)Expect(state, size > 150, "the spec is not in its bytes");
  CountItems(state, 1);
  CountBytes(state, size);
}
BENCHMARK(SpecEncode);

void SpecDecode(benchmark::State& state) {
  const auto spec = TypicalSpec(7);
  const std::string bytes = worker::EncodeSpec(spec);
  for (auto _ : state) {
    const auto decoded = worker::DecodeSpec(bytes);
    if (!Expect(state, decoded.ok() && decoded->retries == spec.retries, "the spec cannot be read")) break;
  }
  (void)Expect(state, *worker::DecodeSpec(bytes) == spec, "another spec came back");
  CountItems(state, 1);
  CountBytes(state, bytes.size());
}
BENCHMARK(SpecDecode);

void SpecFingerprint(benchmark::State& state) {
  const auto jobs = TypicalSpecs(static_cast<size_t>(state.range(0)));
  const auto options = TypicalOptions();
  const std::string expected = worker::Fingerprint(options, jobs);
  for (auto _ : state) {
    if (!Expect(state, worker::Fingerprint(options, jobs) == expected, "two fingerprints of one batch differ")) break;
  }
  CountItems(state, state.range(0));
}
BENCHMARK(SpecFingerprint)->ArgName("jobs")->Arg(1)->Arg(10'000);

}  // namespace
}  // namespace jobd::bench
