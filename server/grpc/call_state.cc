#include "server/grpc/call_state.h"

#include <array>

namespace jobd::server {
namespace {

using enum CallState::Ask;

// In this order: cancelling is what unblocks a client that does not read, and finishing comes behind all that was wished for
// before.
constexpr std::array kOrder = {kCancel, kHeaders, kWrite, kRead, kFinish};

}  // namespace

bool CallState::May(Ask ask) const {
  if (finished_) return false;
  switch (ask) {
    case kHeaders: return !headers_sent_;
    case kRead: return !reading_ && !read_failed_;
    case kWrite: return !writing_;
    case kFinish: return !writing_ && !Wished(kWrite);
    case kCancel: return true;
  }
  return false;
}

void CallState::Wish(Ask ask) {
  if (finished_) return;
  if (Wished(kFinish) && ask != kCancel) return;
  if (ask == kHeaders && headers_sent_) return;
  if (ask == kRead && read_failed_) return;
  if (ask == kFinish) wishes_ = static_cast<uint8_t>(wishes_ & ~Bit(kRead));
  wishes_ = static_cast<uint8_t>(wishes_ | Bit(ask));
}

std::optional<CallState::Ask> CallState::Next() {
  if (asking_) return std::nullopt;
  for (const Ask ask : kOrder) {
    if (!Wished(ask) || !May(ask)) continue;
    wishes_ = static_cast<uint8_t>(wishes_ & ~Bit(ask));
    asking_ = true;
    switch (ask) {
      case kHeaders: headers_sent_ = headers_with_grpc_ = true; break;
      case kRead: reading_ = true; break;
      case kWrite: writing_ = headers_sent_ = true; break;
      case kFinish:
        finished_ = headers_sent_ = true;
        wishes_ = 0;
        break;
      case kCancel: break;
    }
    return ask;
  }
  return std::nullopt;
}

void CallState::OnRead(bool ok) {
  reading_ = false;
  if (ok) return;
  read_failed_ = true;
  wishes_ = static_cast<uint8_t>(wishes_ & ~Bit(kRead));
}

}  // namespace jobd::server
