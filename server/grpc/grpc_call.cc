#include "server/grpc/grpc_call.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/server_context.h>

#include <array>
#include <utility>

#include "server/grpc/connections/transport_watch.h"
#include "server/grpc/grpc_status.h"
#include "server/grpc/message_bytes.h"
#include "server/rpc/dialogue_driver.h"
#include "server/rpc/stream_driver.h"
#include "server/rpc/upload_driver.h"

namespace jobd::server {
namespace {

base::Error ClientIsGone() { return {base::Code::kCancelled, "the client is gone"}; }
base::Error Malformed() { return {base::Code::kInvalidArgument, std::string(kMalformedRequest)}; }

}  // namespace

std::string CertificateOf(const grpc::AuthContext& context) {
  const auto pem = context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (pem.size() != 1) return {};
  std::string chain(pem.front().data(), pem.front().size());
  for (const auto& rest : context.FindPropertyValues(GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME)) {
    chain.append(rest.data(), rest.size());
  }
  return chain;
}

// The two messages of a stream: one that is made, and one that is sent.
class GrpcCall::Stream final : public StreamDriver {
 public:
  Stream(GrpcCall& call, std::unique_ptr<StreamSource> source)
      : StreamDriver(call.support_, {call.shared_from_this(), call.call_.get()}, std::move(source), *call.out_), call_(call) {}
  using StreamDriver::OnSent;

 private:
  void PrepareMessage(size_t slot, Message& message) override { slots_[slot] = ToBytes(message); }
  void SendMessage(size_t slot) override { call_.Write(&slots_[slot]); }
  void FinishCall(const CallEnd& end) override {
    // The source of a call of one answer has made it in the answer's message.
    if (!end && call_.method_.is_unary()) {
      call_.answer_ = ToBytes(*call_.out_);
      return call_.Finish(end, &call_.answer_);
    }
    call_.Finish(end);
  }
  void CancelCall() override { call_.Wish(Ask::kCancel); }

  GrpcCall& call_;  // kept by the driver, with its context
  std::array<grpc::ByteBuffer, 2> slots_;
};

class GrpcCall::Upload final : public UploadDriver {
 public:
  Upload(GrpcCall& call, std::unique_ptr<UploadSink> sink)
      : UploadDriver(call.support_, {call.shared_from_this(), call.call_.get()}, std::move(sink)), call_(call) {}

 private:
  void FinishCall(const CallEnd& end) override { call_.Finish(end); }

  GrpcCall& call_;
};

class GrpcCall::Talk final : public DialogueDriver {
 public:
  Talk(GrpcCall& call, std::unique_ptr<Dialogue> dialogue)
      : DialogueDriver(call.support_, {call.shared_from_this(), call.call_.get()}, std::move(dialogue)), call_(call) {}
  using DialogueDriver::OnSent;

 private:
  void SendAnswer(Message& message) override {
    answer_ = ToBytes(message);
    call_.Write(&answer_);
  }
  void Receive() override { call_.Wish(Ask::kRead); }
  void FinishCall(const CallEnd& end) override { call_.Finish(end); }
  void CancelCall() override { call_.Wish(Ask::kCancel); }

  GrpcCall& call_;
  grpc::ByteBuffer answer_;
};

GrpcCall::GrpcCall(const CallSupport& support, const Method& method, grpc::CallbackServerContext* context)
    : support_(support), method_(method), context_(context), started_(support.clock.Monotonic()) {}

GrpcCall::Reactor* GrpcCall::Start(const CallSupport& support, const Method& method, ConnectionGuard& guard,
                                   grpc::CallbackServerContext* context) {
  const auto call = std::make_shared<GrpcCall>(support, method, context);
  call->self_ = call;
  call->Admit(guard);
  return call.get();
}

// ---- asking gRPC ----

void GrpcCall::Wish(Ask ask) {
  wishes_.Lock()->state.Wish(ask);
  AskAll();
}

void GrpcCall::Write(const grpc::ByteBuffer* message) {
  {
    const auto wishes = wishes_.Lock();
    wishes->message = message;
    wishes->state.Wish(Ask::kWrite);
  }
  AskAll();
}

void GrpcCall::Finish(const CallEnd& end, const grpc::ByteBuffer* answer) {
  {
    const auto wishes = wishes_.Lock();
    wishes->status = ToGrpcStatus(end);
    wishes->answer = answer;
    wishes->state.Wish(Ask::kFinish);
  }
  AskAll();
}

void GrpcCall::AskAll() {
  // Once the call is finished, OnDone may come on another thread before this one is back.
  const auto keep = shared_from_this();
  for (;;) {
    std::optional<Ask> ask;
    const grpc::ByteBuffer* message = nullptr;
    const grpc::ByteBuffer* answer = nullptr;
    grpc::Status status;
    {
      const auto wishes = wishes_.Lock();
      ask = wishes->state.Next();
      if (!ask) return;
      message = wishes->message;
      answer = wishes->answer;
      if (*ask == Ask::kFinish) status = std::move(wishes->status);
    }
    switch (*ask) {
      case Ask::kHeaders: StartSendInitialMetadata(); break;
      case Ask::kRead: StartRead(&received_); break;
      case Ask::kWrite: StartWrite(message); break;
      case Ask::kCancel: context_->TryCancel(); break;
      case Ask::kFinish:
        if (answer != nullptr) {
          StartWriteAndFinish(answer, {}, std::move(status));
        } else {
          Reactor::Finish(std::move(status));
        }
        break;
    }
    wishes_.Lock()->state.Asked();
  }
}

// ---- told by gRPC ----

void GrpcCall::OnReadDone(bool ok) {
  wishes_.Lock()->state.OnRead(ok);
  if (call_ == nullptr) return;
  if (method_.is_upload()) {
    OnUploaded(ok);
  } else if (method_.is_dialogue()) {
    OnSaid(ok);
  } else {
    OnRequest(ok);
  }
}

void GrpcCall::OnWriteDone(bool ok) {
  wishes_.Lock()->state.OnWritten();
  if (const auto driver = stream()) driver->OnSent(ok);
  if (const auto driver = talk()) driver->OnSent(ok);
  AskAll();
}

void GrpcCall::OnSendInitialMetadataDone(bool ok) {
  wishes_.Lock()->state.OnHeaders();
  if (unasked_) return EndUnanswered(ok && !context_->IsCancelled() ? Malformed() : ClientIsGone());
  const auto driver = upload();
  if (!driver) return;
  if (!ok || context_->IsCancelled()) return driver->End(ClientIsGone());
  out_.reset(method_.response->New());
  driver->Submit(*out_, shared_from_this());
}

void GrpcCall::OnCancel() {
  std::shared_ptr<LiveCall> live;
  {
    const auto lasting = lasting_.Lock();
    lasting->cancelled = true;
    live = lasting->stream;
    if (!live) live = lasting->upload;
    if (!live) live = lasting->talk;
  }
  if (live) live->End(ClientIsGone());
}

void GrpcCall::OnDone() {
  if (call_ != nullptr) call_->ReleaseQuota();
  // They keep this call, as it keeps them.
  const auto lasting = std::exchange(*lasting_.Lock(), {});
  const auto last = std::move(self_);
}

// ---- serving ----

void GrpcCall::Admit(ConnectionGuard& guard) {
  Presented presented{.certificate = CertificateOf(*context_->auth_context()), .authorization = {}, .peer = context_->peer()};
  const auto [first, last] = context_->client_metadata().equal_range("authorization");
  for (auto header = first; header != last; ++header) {
    presented.authorization.emplace_back(header->second.data(), header->second.size());
  }
  auto admitted = support_.admission.Admit(presented, *method_.rule);
  if (!admitted.ok()) {
    guard.OnMisuse(ConnectionOf(*context_->auth_context()));
    return Finish(ToPublic(admitted.error()));
  }
  call_ = std::make_unique<CallContext>(method_, *std::move(admitted), RequestFacts{.transport = "grpc", .peer = context_->peer()});
  if (const auto* const handler = std::get_if<UploadHandler>(&method_.handler.serve)) {
    const auto driver = std::make_shared<Upload>(*this, (*handler)(*call_));
    lasting_.Lock()->upload = driver;
    driver->Start();
  } else if (const auto* const dialogues = std::get_if<DialogueHandler>(&method_.handler.serve)) {
    const auto driver = std::make_shared<Talk>(*this, (*dialogues)(*call_));
    lasting_.Lock()->talk = driver;
    // At once, as of a stream; and the first answer may be long in coming.
    Wish(Ask::kHeaders);
    return driver->Start();
  } else {
    awaiting_ = true;
    registration_ = support_.streams.Add(shared_from_this());
  }
  Wish(Ask::kRead);
}

void GrpcCall::Recheck() {
  if (!awaiting_) return;
  const base::Status admitted = call_->StillAdmitted(support_);
  if (!admitted.ok()) return End(admitted.error());
  if (support_.clock.Monotonic() - started_ > kFirstMessageLimit) {
    End(base::Error(base::Code::kDeadlineExceeded, "no request was received for a minute"));
  }
}

void GrpcCall::End(const base::Error& error) {
  if (!awaiting_.exchange(false)) return;
  LogEnd(support_.log, *call_, base::CodeName(error.code()));
  call_->ReleaseQuota();
  Finish(ToPublic(error));
}

base::Status GrpcCall::Parse(Message& message, MemoryBudget::Share& memory) {
  const uint64_t bytes = DecodedBytes(received_, *method_.shape, kMaxDecodedBytes);
  if (bytes > kMaxDecodedBytes) {
    return base::Error(base::Code::kResourceExhausted, "the request would take more than 64 MiB of memory; send it in parts");
  }
  JOBD_RETURN_IF_ERROR(memory.Take(bytes));
  if (!FromBytes(received_, message)) return Malformed();
  return base::Ok();
}

void GrpcCall::DropRequest() {
  in_.reset();
  in_memory_.reset();
}

void GrpcCall::OnRequest(bool ok) {
  if (!awaiting_.exchange(false)) return;
  registration_ = {};
  if (!ok) {
    // As of an upload: only a client that is still there can be sent headers.
    unasked_ = true;
    return Wish(Ask::kHeaders);
  }
  // A client may send its message days after the headers; what it may do is what it may do now.
  if (const base::Status admitted = call_->AdmitAgain(support_); !admitted.ok()) {
    call_->ReleaseQuota();
    return Finish(ToPublic(admitted.error()));
  }
  in_.reset(method_.request->New());
  in_memory_.emplace(support_.decoding, call_->caller().name());
  if (const base::Status parsed = Parse(*in_, *in_memory_); !parsed.ok()) return EndUnanswered(parsed.error());
  out_.reset(method_.response->New());
  if (const auto* const handler = std::get_if<UnaryHandler>(&method_.handler.serve)) {
    (*handler)(*call_, *in_, *out_, Reply(shared_from_this()));
  } else if (const auto* const streams = std::get_if<StreamHandler>(&method_.handler.serve)) {
    auto source = (*streams)(*call_, *in_);
    if (!source.ok()) return EndUnanswered(source.error());
    // At once, though there may be nothing to say for hours: the client can tell that it is being served.
    Wish(Ask::kHeaders);
    Await(*std::move(source));
  }
}

void GrpcCall::OnUploaded(bool ok) {
  // The end of the client's stream and the loss of the client look the same to a reader. Headers can be sent only in the first
  // case: an upload that was cut off is never taken for a whole one.
  if (!ok) return Wish(Ask::kHeaders);
  const auto driver = upload();
  if (!driver) return;
  const std::unique_ptr<Message> in(method_.request->New());
  MemoryBudget::Share memory(support_.decoding, call_->caller().name());
  if (const base::Status parsed = Parse(*in, memory); !parsed.ok()) return driver->Fail(parsed.error());
  if (driver->Take(*in)) Wish(Ask::kRead);
}

void GrpcCall::OnSaid(bool ok) {
  const auto driver = talk();
  if (!driver) return;
  if (!ok) return driver->Close();
  if (!driver->Heard()) return;
  const std::unique_ptr<Message> in(method_.request->New());
  const std::unique_ptr<Message> out(method_.response->New());
  MemoryBudget::Share memory(support_.decoding, call_->caller().name());
  if (const base::Status parsed = Parse(*in, memory); !parsed.ok()) return driver->Fail(parsed.error());
  driver->Answer(*in, *out);
}

void GrpcCall::Succeed() {
  LogEnd(support_.log, *call_, "OK");
  DropRequest();
  answer_ = ToBytes(*out_);
  out_.reset();
  // A client may let it lie here for as long as it likes.
  call_->CountAnswer(answer_.Length());
  Finish({}, &answer_);
}

void GrpcCall::Fail(const base::Error& error, base::Nanos retry_after) { EndUnanswered(error, retry_after); }

void GrpcCall::EndUnanswered(const base::Error& error, base::Nanos retry_after) {
  PublicError shown = support_.errors.Report(error, call_->path(), call_->about());
  shown.retry_after = retry_after;
  LogEnd(support_.log, *call_, base::CodeName(error.code()));
  DropRequest();
  call_->ReleaseQuota();
  Finish(std::move(shown));
}

void GrpcCall::Await(std::unique_ptr<StreamSource> source) {
  DropRequest();
  const auto driver = std::make_shared<Stream>(*this, std::move(source));
  bool cancelled = false;
  {
    const auto lasting = lasting_.Lock();
    lasting->stream = driver;
    cancelled = lasting->cancelled;
  }
  driver->Start();
  if (cancelled) driver->End(ClientIsGone());
}

}  // namespace jobd::server
