// Shims that have done their job and wait for the next.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <vector>

#include "launch/launcher/live_shim.h"

namespace jobd::launch {

// Keeps few, and none for longer than two turns of its clock: a launcher without work has no shims but those of running jobs. Those
// that are dismissed end by themselves, and stay here until Remove. On the context's one thread.
class ShimPool {
 public:
  ShimPool(boost::asio::io_context& context, std::chrono::milliseconds turn) : turn_(turn), clock_(context) {}
  // The shims that wait end.
  ~ShimPool() = default;
  ShimPool(const ShimPool&) = delete;
  ShimPool& operator=(const ShimPool&) = delete;

  // The one that came last, as its memory is still warm; nullptr when none waits.
  std::shared_ptr<LiveShim> Take();
  // `shim` has no job and an open channel.
  void Keep(std::shared_ptr<LiveShim> shim);
  // It ends as soon as it looks at its channel.
  void Dismiss(std::shared_ptr<LiveShim> shim);
  void DismissAll();
  // Its process has ended.
  void Remove(const LiveShim& shim);

 private:
  void Tick();

  const std::chrono::milliseconds turn_;
  std::vector<std::shared_ptr<LiveShim>> waiting_;
  std::vector<std::shared_ptr<LiveShim>> leaving_;
  boost::asio::steady_timer clock_;
  bool ticking_ = false;
};

}  // namespace jobd::launch
