// Hears of what is mounted and unmounted on the machine.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>

namespace jobd::launch {

// Lives on the loop's thread.
class MountWatch {
 public:
  // `changed` is called within a second or so of a change, once for all that came in between. Where /proc cannot be watched it is
  // never called.
  MountWatch(boost::asio::io_context& context, std::function<void()> changed);
  MountWatch(const MountWatch&) = delete;
  MountWatch& operator=(const MountWatch&) = delete;

 private:
  void Await();

  boost::asio::posix::stream_descriptor mounts_;
  boost::asio::steady_timer settle_;
  const std::function<void()> changed_;
};

}  // namespace jobd::launch
