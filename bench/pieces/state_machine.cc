// The table of states, asked for every pair.
#include "worker/model/state_machine.h"

#include "bench/pieces/piece.h"

namespace jobd::bench {
namespace {

using worker::JobState;
using worker::Move;

// What the table at the head of state_machine.h allows: 10 + 8 + 9 + 10 + 8 + 6 for the six live states.
constexpr int kAllowed = 51;
constexpr int kPairs = static_cast<int>(worker::kJobStates * worker::kJobStates);

void StateTransition(benchmark::State& state) {
  for (auto _ : state) {
    int allowed = 0;
    for (size_t from = 0; from < worker::kJobStates; ++from) {
      for (size_t to = 0; to < worker::kJobStates; ++to) {
        auto one = static_cast<JobState>(from);
        benchmark::DoNotOptimize(one);
        if (worker::MayMove(one, static_cast<JobState>(to))) ++allowed;
      }
    }
    if (!Expect(state, allowed == kAllowed, "the table allows other moves than it says")) break;
  }
  CountItems(state, kPairs);
}
BENCHMARK(StateTransition);

}  // namespace
}  // namespace jobd::bench
