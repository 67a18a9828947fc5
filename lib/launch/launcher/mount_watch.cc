#include "launch/launcher/mount_watch.h"

#include <fcntl.h>

#include <chrono>
#include <utility>

#include "base/files.h"

namespace jobd::launch {
namespace {

// A machine that starts containers mounts a dozen things in a row.
constexpr std::chrono::seconds kSettle{1};

}  // namespace

MountWatch::MountWatch(boost::asio::io_context& context, std::function<void()> changed)
    : mounts_(context), settle_(context), changed_(std::move(changed)) {
  auto file = base::OpenAt(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY);
  if (!file.ok()) return;
  boost::system::error_code error;
  mounts_.assign(file->get(), error);
  if (error) return;
  (void)file->release();
  Await();
}

void MountWatch::Await() {
  // A change is told as an exceptional condition (proc(5)).
  mounts_.async_wait(boost::asio::posix::stream_descriptor::wait_error, [this](const boost::system::error_code& error) {
    if (error) return;
    settle_.expires_after(kSettle);
    settle_.async_wait([this](const boost::system::error_code& ended) {
      if (ended) return;
      // Before it is acted on: what changes meanwhile is told again.
      Await();
      changed_();
    });
  });
}

}  // namespace jobd::launch
