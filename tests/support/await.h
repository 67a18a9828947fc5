// Waiting for what another thread brings, and not for ever: a test that hangs says nothing.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>

namespace jobd::test {

// Longer than anything takes on the slowest machine that is tested on.
inline constexpr std::chrono::seconds kPatience{60};

// Ends the program when nothing comes: what is awaited would reach into a test that has returned.
template <typename Future>
void WaitFor(const Future& future) {
  if (future.wait_for(kPatience) == std::future_status::ready) return;
  std::fprintf(stderr, "what a test waits for has not come within %lld s\n", static_cast<long long>(kPatience.count()));
  std::abort();
}

template <typename T>
T Await(std::future<T> future) {
  WaitFor(future);
  return future.get();
}

}  // namespace jobd::test
