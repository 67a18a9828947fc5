#include "bench/streams/line_follower.h"

#include <cstdlib>

#include "bench/streams/report.h"

namespace jobd::bench {

LineFollower::LineFollower(const std::shared_ptr<grpc::Channel>& channel, const v1::StreamLogsRequest& request, size_t lines)
    : stub_(v1::JobQueryService::NewStub(channel)), request_(request) {
  delays_.reserve(lines);
  stub_->async()->StreamLogs(&context_, &request_, this);
  StartRead(&response_);
  StartCall();
}

LineFollower::~LineFollower() {
  context_.TryCancel();
  WaitForEnd();
}

void LineFollower::WaitForFirst() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return first_ || done_; });
}

void LineFollower::WaitForEnd() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return done_; });
}

void LineFollower::OnReadDone(bool ok) {
  if (!ok) return;
  const double now = Now();
  for (const auto& chunk : response_.chunks()) {
    if (chunk.stream() != v1::LOG_STREAM_STDERR) Take(chunk.data(), now);
  }
  StartRead(&response_);
}

void LineFollower::Take(const std::string& text, double now) {
  partial_ += text;
  size_t begin = 0;
  for (size_t end = 0; (end = partial_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const double written = std::strtod(partial_.c_str() + begin, nullptr) / 1e9;
    if (written > 0) {
      delays_.push_back(now - written);
    } else {
      const std::lock_guard lock(mutex_);
      first_ = true;
      changed_.notify_all();
    }
  }
  partial_.erase(0, begin);
}

void LineFollower::OnDone(const grpc::Status& /*status*/) {
  // The last touch: whoever waits may destroy this as soon as the lock is free.
  const std::lock_guard lock(mutex_);
  done_ = true;
  changed_.notify_all();
}

}  // namespace jobd::bench
