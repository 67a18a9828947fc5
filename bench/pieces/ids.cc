// Correlation IDs: made on both sides, and checked at every call that names one.
#include "base/text.h"
#include "base/uuid7.h"
#include "bench/pieces/piece.h"

namespace jobd::bench {
namespace {

void IdMake(benchmark::State& state) {
  std::string last;
  for (auto _ : state) {
    std::string id = base::MakeUuid7(kThen);
    if (!Expect(state, id.size() == 36 && id[14] == '7' && id != last, "not a new UUIDv7")) break;
    last = std::move(id);
  }
  CountItems(state, 1);
}
BENCHMARK(IdMake)->Name("IdMakeInWorker");  // as in earlier revisions, to which it is compared

void IdCheck(benchmark::State& state) {
  const std::string good = base::MakeUuid7(kThen);
  const std::string bad = good + "/";
  for (auto _ : state) {
    if (!Expect(state, base::IsSafeName(good) && !base::IsSafeName(bad), "took the wrong one")) break;
  }
  CountItems(state, 2);
}
BENCHMARK(IdCheck);

}  // namespace
}  // namespace jobd::bench
