// StreamLogs, as a call that lasts.
#pragma once

#include <memory>

#include <grpcpp/support/byte_buffer.h>

#include "server/ops/metrics.h"
#include "server/rpc/write_stream.h"
#include "worker/logs/log_session.h"

namespace jobd::server {

// How much of a log one message carries, so that all followers together, each of whom may be slow with what it has in hand, stay
// within what the server may use for that: 256 KiB while they are few, 16 KiB at the least.
size_t LogPageBytes(size_t streams);
// Whether each of so many may have a second message made while the first is being sent.
bool LogReadsAhead(size_t streams);

class LogStream final : public WriteStream<grpc::ByteBuffer> {
 public:
  LogStream(const Backend& backend, Call call, grpc::CallbackServerContext* context, worker::LogQuery query)
      : WriteStream(backend, std::move(call), context), query_(std::move(query)) {}

 private:
  Next Produce(grpc::Status& end) override;
  void Arm(std::function<void()> wake) override { session_->Arm(std::move(wake)); }

  const worker::LogQuery query_;
  const Metrics::Follower follower_{backend().metrics};
  bool finished_ = false;
  std::unique_ptr<worker::LogSession> session_;
};

}  // namespace jobd::server
