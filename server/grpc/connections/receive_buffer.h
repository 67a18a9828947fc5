// What the kernel keeps of a connection that is not read from.
#pragma once

namespace jobd::server {

// The kernel lets a socket's buffer grow with what comes by it, as a long way needs, to 6 MiB and more (tcp(7), tcp_rmem); a client
// fills it while we let it wait. So it is kept where it is once it has half a megabyte, which is 5 MiB/s at 100 ms. Where the way
// is short it may have grown far beyond at once, and is made smaller: to no more than twice net.core.rmem_max, often 416 KiB, which
// is much on such a way. TCP_WINDOW_CLAMP does not hold where the buffer grows.
//
// Not thread-safe.
class ReceiveBuffer {
 public:
  // To be called before each read from the connection, whose socket is `fd`.
  void Bound(int fd);

 private:
  bool is_bounded_ = false;
};

}  // namespace jobd::server
