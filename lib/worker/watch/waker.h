// Wakes one waiter when something it looks at has changed; the meeting point of sessions with what changes under them.
#pragma once

#include <condition_variable>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "base/guarded.h"

namespace jobd::worker {

// Thread-safe. A waiter clears it, looks, and arms it; whatever happened since the clearing wakes it at once, so that nothing is
// missed between looking and waiting.
class Waker {
 public:
  // Something changed. May be called at any time, from any thread; calls the armed function, which may arm again.
  void Notify() {
    {
      const auto state = state_.Lock();
      state->changed = true;
      if (!BecomeCaller(*state)) return;
    }
    Call();
  }
  void Clear() { state_.Lock()->changed = false; }
  void Arm(std::function<void()> wake) {
    {
      const auto state = state_.Lock();
      state->wake = std::move(wake);
      if (!BecomeCaller(*state)) return;
    }
    Call();
  }
  // When this returns the function is not running, unless it is the caller, and will not.
  void Disarm() {
    auto state = state_.Lock();
    state->wake = nullptr;
    state.Wait(idle_, [&] { return !state->caller || *state->caller == std::this_thread::get_id(); });
  }

 private:
  struct State {
    bool changed = false;
    std::function<void()> wake;
    std::optional<std::thread::id> caller;  // the thread that calls what is armed, while one does
  };

  // Whether there is something to call, and this thread is to call it. One thread calls at a time; what is armed or changes
  // meanwhile is left to it.
  static bool BecomeCaller(State& state) {
    if (state.caller || !state.changed || !state.wake) return false;
    state.caller = std::this_thread::get_id();
    return true;
  }
  // Without the lock: the function may do as it likes with this object.
  void Call() {
    while (const auto wake = Next()) wake();
  }
  std::function<void()> Next() {
    const auto state = state_.Lock();
    if (state->changed && state->wake) return std::exchange(state->wake, nullptr);
    state->caller.reset();
    idle_.notify_all();
    return nullptr;
  }

  base::Guarded<State> state_;
  std::condition_variable idle_;
};

}  // namespace jobd::worker
