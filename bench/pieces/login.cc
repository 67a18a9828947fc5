// Whether the time of a login tells who exists: 500 wrong passwords of a user and of nobody in turn, with hashes as they are in
// earnest. Their medians must be within 5 %: bench_pieces --benchmark_filter=LoginTiming/logins:500
#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "auth/password.h"
#include "bench/pieces/piece.h"

namespace jobd::bench {
namespace {

void LoginTiming(benchmark::State& state) {
  const auto hasher = auth::PasswordHasher::Create({});
  if (!Expect(state, hasher.ok(), "no hasher")) return;
  const auto hash = (*hasher)->Hash("correct horse battery");
  if (!Expect(state, hash.ok(), "no hash")) return;
  std::array<std::vector<double>, 2> times;
  for (auto _ : state) {
    for (int64_t i = 0; i < 2 * state.range(0); ++i) {
      const bool known = i % 2 == 0;
      const auto begin = std::chrono::steady_clock::now();
      const auto right = (*hasher)->Verify(known ? std::optional(*hash) : std::nullopt, "wrong password");
      times.at(known ? 0 : 1)
          .push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
      if (!Expect(state, right.ok() && !*right, "a wrong password was right")) return;
    }
  }
  const auto median = [](std::vector<double>& of) {
    std::ranges::nth_element(of, of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2));
    return of[of.size() / 2];
  };
  const double known = median(times[0]);
  const double nobody = median(times[1]);
  state.counters["known_ms"] = known;
  state.counters["nobody_ms"] = nobody;
  state.counters["apart_percent"] = (known - nobody) / nobody * 100;
}
BENCHMARK(LoginTiming)->ArgName("logins")->Arg(8)->Arg(500)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace jobd::bench
