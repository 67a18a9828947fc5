// Signals to jobctl, taken by a thread of their own instead of by a handler.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

#include "base/result.h"

namespace jobd::cli {

// Called when nobody reads from a pipe or a terminal any more.
struct HangUp {
  int fd = -1;  // borrowed; -1: none
  std::function<void()> on_hang_up;
};

// While it lives, `on_signal` is called on its thread for each of the signals, and `on_hang_up` once when the reader of its
// descriptor is gone. Signals that were ignored when it was made (as by nohup) stay ignored. Make it before any other thread:
// threads made later inherit the mask that keeps the signals for this one. The destructor ends the thread and restores the mask.
class SignalThread {
 public:
  static base::Result<std::unique_ptr<SignalThread>> Create(std::initializer_list<int> signals, std::function<void(int)> on_signal,
                                                            HangUp hang_up = {});
  ~SignalThread();

 private:
  struct Impl;
  explicit SignalThread(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace jobd::cli
