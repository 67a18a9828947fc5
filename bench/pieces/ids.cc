// Correlation IDs: made on both sides, and checked at every call that names one.
#include "base/text.h"
#include "base/uuid7.h"
#include "bench/pieces/piece.h"
#include "cli/connect/uuid.h"

namespace jobd::bench {
namespace {

template <std::string (*Make)(base::Nanos)>
void IdMake(benchmark::State& state) {
  std::string last;
  for (auto _ : state) {
    std::string id = Make(kThen);
    if (!Expect(state, id.size() == 36 && id[14] == '7' && id != last, "not a new UUIDv7")) break;
    last = std::move(id);
  }
  CountItems(state, 1);
}
BENCHMARK_TEMPLATE(IdMake, base::MakeUuid7)->Name("IdMakeInWorker");
BENCHMARK_TEMPLATE(IdMake, cli::MakeUuidV7)->Name("IdMakeInCli");

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
