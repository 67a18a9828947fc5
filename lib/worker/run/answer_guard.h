// Answers calls in bounded time where a disk that hangs keeps the answer away. What was asked for may still come about, when the
// disk is back: as after a lost connection, the caller does not know.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "worker/model/request.h"
#include "worker/run/loop.h"
#include "worker/store/store.h"

namespace jobd::worker {

// Thread-safe. Has a thread, `guard`, which sleeps while every call is answered in time.
class AnswerGuard {
 public:
  // Both are borrowed and outlive the guard. A call is looked at when it is `within` old, and again and again; it is answered with
  // kUnavailable when the store hangs, or when the loop does not take up a message within a quarter of that.
  AnswerGuard(Loop& loop, const Store& store, base::Nanos within);
  // Calls that are not answered are left to whoever has them.
  ~AnswerGuard();
  AnswerGuard(const AnswerGuard&) = delete;
  AnswerGuard& operator=(const AnswerGuard&) = delete;

  // A function to be called in place of `done`, which calls it unless the guard has. `past_loop`: done before the guard answers for
  // a loop that hangs, on the guard's thread: what cannot wait for the loop.
  template <typename T>
  Callback<T> Bound(Callback<T> done, std::function<void()> past_loop = {}) {
    auto answer = std::make_shared<base::Guarded<Callback<T>>>(std::move(done));
    const auto call = std::make_shared<Call>();
    call->past_loop = std::move(past_loop);
    call->fail = [answer](base::Error error) {
      if (auto take = std::exchange(*answer->Lock(), nullptr)) take(std::move(error));
    };
    Watch(call);
    return [answer, call](base::Result<T> result) {
      call->answered.store(true);
      if (auto take = std::exchange(*answer->Lock(), nullptr)) take(std::move(result));
    };
  }

 private:
  struct Call {
    std::atomic<bool> answered{false};
    base::Nanos deadline = 0;
    std::optional<uint64_t> probe;  // the message to the loop that it waits for
    std::function<void(base::Error)> fail;
    std::function<void()> past_loop;
  };
  struct State {
    std::deque<std::shared_ptr<Call>> calls;  // by deadline
    bool stopping = false;
    bool asleep = false;  // the thread waits for a call
  };
  void Watch(const std::shared_ptr<Call>& call);
  void Run();
  // Answers it, or gives it another time.
  void Look(const std::shared_ptr<Call>& call);
  void Rearm(const std::shared_ptr<Call>& call, base::Nanos after);

  Loop& loop_;
  const Store& store_;
  const base::Nanos within_;
  const base::SystemClock clock_;
  base::Guarded<State> state_;
  std::condition_variable wake_;
  uint64_t probes_ = 0;  // of the guard's thread
  const std::shared_ptr<std::atomic<uint64_t>> heard_ = std::make_shared<std::atomic<uint64_t>>(0);
  std::thread thread_;
};

}  // namespace jobd::worker
