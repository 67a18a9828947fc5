// One call of any method, as gRPC serves it.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/guarded.h"
#include "server/grpc/call_state.h"
#include "server/grpc/connections/connection_guard.h"
#include "server/rpc/call_context.h"
#include "server/rpc/handler.h"
#include "server/rpc/method.h"
#include "server/rpc/public_error.h"
#include "server/rpc/stream_registry.h"

namespace jobd::server {

// Every method is a stream of bytes in both directions to gRPC, so that there is one reactor for all of them: it is there as soon
// as the headers are, before a message was received, and admits the call first. Messages are parsed here and not by gRPC, which
// ends a stream at one that does not parse as if the client had ended it.
//
// What a message takes in memory is taken from the user's budget before the message is made.
//
// A call that takes one message waits for it as a LiveCall: it counts, is checked again and again, and has a limit of time.
//
// A call of one answer is answered though the client has gone: what was asked for is done. All other calls end with the client.
//
// Owns itself from Start until gRPC is done with it (OnDone) and nobody else holds it. Thread-safe.
class GrpcCall final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                       public Answerable,
                       public LiveCall,
                       public std::enable_shared_from_this<GrpcCall> {
 public:
  using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;
  // `guard` is told of a call that is refused. All but the context outlive the call.
  static Reactor* Start(const CallSupport& support, const Method& method, ConnectionGuard& guard,
                        grpc::CallbackServerContext* context);

  GrpcCall(const CallSupport& support, const Method& method, grpc::CallbackServerContext* context);

  void Succeed() override;
  void Fail(const base::Error& error, base::Nanos retry_after) override;
  void Await(std::unique_ptr<StreamSource> source) override;

 private:
  class Stream;
  class Upload;
  class Talk;
  using Ask = CallState::Ask;

  // What is wished for, and with what. Each argument is set with its wish.
  struct Wishes {
    CallState state;
    const grpc::ByteBuffer* message = nullptr;  // to write
    const grpc::ByteBuffer* answer = nullptr;   // to finish with, if any
    grpc::Status status;                        // to finish with
  };
  // The part that lasts, and whether the client has gone; whichever comes second sees the other.
  struct Lasting {
    std::shared_ptr<Stream> stream;
    std::shared_ptr<Upload> upload;
    std::shared_ptr<Talk> talk;
    bool cancelled = false;
  };

  void Admit(ConnectionGuard& guard);
  void Wish(Ask ask);
  void Write(const grpc::ByteBuffer* message);
  void Finish(const CallEnd& end, const grpc::ByteBuffer* answer = nullptr);
  // Asks gRPC for all that is wished for and may be asked now.
  void AskAll();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnSendInitialMetadataDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // While the message is awaited.
  void Recheck() override;
  void End(const base::Error& error) override;
  void Abort() override {}  // End never waits for the client

  void OnRequest(bool ok);
  void OnUploaded(bool ok);
  void OnSaid(bool ok);
  // Makes the message that was received, having taken the memory for it.
  base::Status Parse(Message& message, MemoryBudget::Share& memory);
  void EndUnanswered(const base::Error& error, base::Nanos retry_after = 0);
  std::shared_ptr<Stream> stream() { return lasting_.Lock()->stream; }
  std::shared_ptr<Upload> upload() { return lasting_.Lock()->upload; }
  std::shared_ptr<Talk> talk() { return lasting_.Lock()->talk; }
  void DropRequest();

  const CallSupport& support_;
  const Method& method_;
  grpc::CallbackServerContext* const context_;  // gRPC's, until the call is finished
  std::shared_ptr<GrpcCall> self_;
  std::unique_ptr<CallContext> call_;  // none: the call was refused
  const base::Nanos started_;
  std::atomic<bool> awaiting_ = false;         // the one message; whoever makes it false goes on with the call
  StreamRegistry::Registration registration_;  // meanwhile
  bool unasked_ = false;                       // there was no message
  // Of a call of one message, from that message to the answer or the stream: a call may last for days, and what a client sends may
  // take many times its bytes here (fields that are not known).
  std::unique_ptr<Message> in_;
  std::optional<MemoryBudget::Share> in_memory_;
  std::unique_ptr<Message> out_;
  grpc::ByteBuffer received_;
  grpc::ByteBuffer answer_;
  base::Guarded<Wishes> wishes_;
  base::Guarded<Lasting> lasting_;
};

// The client's certificate in PEM, as TLS has verified it, and behind it those that came with it.
std::string CertificateOf(const grpc::AuthContext& context);

}  // namespace jobd::server
