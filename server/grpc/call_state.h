// What may be asked of gRPC for one call, and when. gRPC 1.51 aborts the process, or touches memory that is gone, when it is asked
// for something at the wrong time; a client chooses the time by cutting its connection. So the decision is made here and nowhere
// else.
#pragma once

#include <cstdint>
#include <optional>

namespace jobd::server {

// What gRPC can be asked for:
//
//   Ask       may be asked                                                              and is told when it is over by
//   kHeaders  once; not after kWrite or kFinish, which send the headers too             OnHeaders
//   kRead     not while a read is with gRPC; not after one that failed or after kFinish  OnRead
//   kWrite    not while a write is with gRPC; not after kFinish                         OnWritten
//   kFinish   once; not while a write is with gRPC, for the client is to have all of it
//   kCancel   not after kFinish: from then on gRPC may take the call's context away at any moment
//
// A read may be with gRPC when the call is finished: it fails then. Headers and a write may be with gRPC together: it keeps their
// order.
//
// Threads that want something say so (Wish), and whoever finds that nobody is asking asks (Next … Asked). So two threads never ask
// at once, and none asks for something that another has just made wrong. A wish that can no longer be granted is dropped; the owner
// of the call learns from the call's end. After a wish to finish nothing but what was wished for before it is granted.
//
// Pure; not thread-safe: it lives under the call's lock. Small, so that a test can walk through all states there are.
class CallState {
 public:
  enum class Ask : uint8_t { kHeaders, kRead, kWrite, kFinish, kCancel };

  void Wish(Ask ask);
  // What the calling thread is to ask now, without the lock; then it calls Asked, and Next again. Nothing: there is nothing to ask,
  // or another thread is asking and will see to it.
  std::optional<Ask> Next();
  void Asked() { asking_ = false; }

  // Told by gRPC.
  void OnHeaders() { headers_with_grpc_ = false; }
  void OnRead(bool ok);
  void OnWritten() { writing_ = false; }

  bool finished() const { return finished_; }
  bool operator==(const CallState&) const = default;
  auto operator<=>(const CallState&) const = default;

 private:
  bool Wished(Ask ask) const { return (wishes_ & Bit(ask)) != 0; }
  static uint8_t Bit(Ask ask) { return static_cast<uint8_t>(1U << static_cast<unsigned>(ask)); }
  // Whether gRPC takes it now; the table above.
  bool May(Ask ask) const;

  uint8_t wishes_ = 0;
  bool asking_ = false;
  bool headers_sent_ = false;  // asked for, by kHeaders or with something else
  bool headers_with_grpc_ = false;
  bool reading_ = false;
  bool read_failed_ = false;
  bool writing_ = false;
  bool finished_ = false;
};

}  // namespace jobd::server
