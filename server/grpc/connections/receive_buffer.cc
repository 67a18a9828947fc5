#include "server/grpc/connections/receive_buffer.h"

#include <sys/socket.h>

namespace jobd::server {

void ReceiveBuffer::Bound(int fd) {
  constexpr int kEnough = 512 << 10;
  if (is_bounded_) return;
  int size = 0;
  socklen_t length = sizeof size;
  if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length) != 0 || size < kEnough) return;
  is_bounded_ = true;
  constexpr int kKeepReceive = 2;  // SOCK_RCVBUF_LOCK of SO_BUF_LOCK, since Linux 5.14
  if (size <= 2 * kEnough && setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &kKeepReceive, sizeof kKeepReceive) == 0) return;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kEnough, sizeof kEnough);
}

}  // namespace jobd::server
