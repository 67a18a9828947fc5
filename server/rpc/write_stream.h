// A Pump that answers with a stream of messages.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include <grpcpp/support/server_callback.h>

#include "server/rpc/stream_driver.h"

namespace jobd::server {

template <typename Response>
class WriteStream : public Pump, public grpc::ServerWriteReactor<Response> {
 public:
  WriteStream(const Backend& backend, Call call, grpc::CallbackServerContext* context)
      : Pump(backend, std::move(call)), context_(context) {}

  // Gives `stream` to gRPC, which keeps it until the call is over, and starts it.
  static grpc::ServerWriteReactor<Response>* Launch(std::shared_ptr<WriteStream> stream) {
    WriteStream* const raw = stream.get();
    raw->self_ = stream;
    // At once, though there may be nothing to say for hours: the client can tell that it is being served.
    raw->StartSendInitialMetadata();
    raw->Start();
    return raw;
  }

 protected:
  // For Produce: the message to make.
  Response& response() { return responses_[slot()]; }

 private:
  void SendMessage(size_t slot) final { this->StartWrite(&responses_[slot]); }
  void FinishCall(const grpc::Status& status) final { this->Finish(status); }
  void CancelCall() final { context_->TryCancel(); }
  void OnWriteDone(bool ok) final { OnSent(ok); }
  void OnCancel() final { End(grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone")); }
  void OnDone() final { const auto last = std::move(self_); }

  grpc::CallbackServerContext* const context_;
  std::array<Response, 2> responses_;
  std::shared_ptr<WriteStream> self_;
};

// A call that ends before it lasts.
template <typename Response>
class RefusedStream final : public grpc::ServerWriteReactor<Response> {
 public:
  explicit RefusedStream(const grpc::Status& status) { this->Finish(status); }

 private:
  void OnDone() final { delete this; }
};

}  // namespace jobd::server
