// A transport without a network: calls handlers as gRPC's does, with messages instead of bytes. That it can is the proof that
// handlers know no transport.
#pragma once

#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "server/rpc/call_context.h"
#include "server/rpc/dialogue_driver.h"
#include "server/rpc/method.h"
#include "server/rpc/public_error.h"
#include "server/rpc/stream_driver.h"
#include "server/rpc/upload_driver.h"

namespace jobd::server::testing {

// One call. Its client takes messages as they come, unless it was told to be slow.
class FakeCall final : public Answerable, public std::enable_shared_from_this<FakeCall> {
 public:
  FakeCall(const CallSupport& support, const Method& method) : support_(support), method_(method) {}

  // ---- the client's side ----

  // Waits for the call's end.
  CallEnd End() {
    auto seen = seen_.Lock();
    EXPECT_TRUE(seen.WaitFor(changed_, std::chrono::seconds(20), [&] { return seen->ended; }));
    return seen->end;
  }
  // Waits until so many messages have come.
  bool Received(size_t count) {
    auto seen = seen_.Lock();
    return seen.WaitFor(changed_, std::chrono::seconds(20), [&] { return seen->messages.size() >= count; });
  }
  bool ended() { return seen_.Lock()->ended; }
  size_t received() { return seen_.Lock()->messages.size(); }
  template <typename Out>
  Out Message(size_t index = 0) {
    Out out;
    const auto seen = seen_.Lock();
    EXPECT_LT(index, seen->messages.size());
    if (index < seen->messages.size()) out.CopyFrom(*seen->messages[index]);
    return out;
  }
  // The client leaves.
  void Leave() { Live()->End(base::Error(base::Code::kCancelled, "the client is gone")); }
  // From now on it takes no message until TakeOne.
  void BeSlow() { seen_.Lock()->slow = true; }
  void TakeOne() { talk_ ? talk_->OnSent(true) : stream_->Taken(true); }
  bool cancelled() { return seen_.Lock()->cancelled; }

  // For a dialogue: says this; the answer comes as a message. False: the call has ended.
  bool Say(const google::protobuf::Message& message) {
    if (!talk_->Heard()) return false;
    const Text out(method_.response->New());
    talk_->Answer(message, *out);
    return true;
  }
  // That was all.
  CallEnd HangUp() {
    talk_->Close();
    return End();
  }

  // For an upload: the next message. False: the call has ended.
  bool Send(const google::protobuf::Message& message) {
    const std::unique_ptr<google::protobuf::Message> copy(message.New());
    copy->CopyFrom(message);
    return upload_->Take(*copy);
  }
  // That was the last.
  CallEnd Close() {
    upload_->Submit(*out_, shared_from_this());
    return End();
  }

  // ---- the transport's side ----

  void Serve(const std::string& certificate, const std::vector<std::string>& authorization, const google::protobuf::Message* in) {
    auto admitted = support_.admission.Admit({.certificate = certificate, .authorization = authorization}, *method_.rule);
    if (!admitted.ok()) return Finish(ToPublic(admitted.error()));
    call_ = std::make_unique<CallContext>(method_, *std::move(admitted), RequestFacts{.transport = "fake", .peer = "here"});
    out_.reset(method_.response->New());
    if (in != nullptr) {
      in_.reset(in->New());
      in_->CopyFrom(*in);
    }
    if (method_.is_unary()) {
      std::get<UnaryHandler>(method_.handler.serve)(*call_, *in_, *out_, Reply(shared_from_this()));
    } else if (method_.is_stream()) {
      auto source = std::get<StreamHandler>(method_.handler.serve)(*call_, *in_);
      if (!source.ok()) return Fail(source.error(), 0);
      Await(*std::move(source));
    } else if (method_.is_dialogue()) {
      talk_ = std::make_shared<Talk>(*this, std::get<DialogueHandler>(method_.handler.serve)(*call_));
      talk_->Start();
      if (in != nullptr) Say(*in);
    } else {
      upload_ = std::make_shared<Upload>(*this, std::get<UploadHandler>(method_.handler.serve)(*call_));
      upload_->Start();
    }
  }
  void Succeed() override {
    call_->ReleaseQuota();
    Finish(std::nullopt, out_.get());
  }
  void Fail(const base::Error& error, base::Nanos retry_after) override {
    call_->ReleaseQuota();
    PublicError shown = support_.errors.Report(error, call_->path(), call_->about());
    shown.retry_after = retry_after;
    Finish(shown);
  }
  void Await(std::unique_ptr<StreamSource> source) override {
    stream_ = std::make_shared<Stream>(*this, std::move(source));
    stream_->Start();
  }
  // The call and its driver keep each other until somebody says that it is enough.
  void Drop() {
    stream_.reset();
    upload_.reset();
    talk_.reset();
  }

 private:
  using Text = std::unique_ptr<google::protobuf::Message>;
  struct Seen {
    std::vector<Text> messages;
    bool slow = false;
    bool cancelled = false;
    bool ended = false;
    CallEnd end;
  };

  class Stream final : public StreamDriver {
   public:
    Stream(FakeCall& call, std::unique_ptr<StreamSource> source)
        : StreamDriver(call.support_, {call.shared_from_this(), call.call_.get()}, std::move(source), *call.out_), call_(call) {}
    void Taken(bool ok) { OnSent(ok); }

   private:
    void PrepareMessage(size_t slot, google::protobuf::Message& message) override {
      slots_[slot].reset(message.New());
      slots_[slot]->CopyFrom(message);
    }
    void SendMessage(size_t slot) override {
      if (call_.Receive(std::move(slots_[slot]))) OnSent(true);
    }
    void FinishCall(const CallEnd& end) override {
      call_.Finish(end, !end && call_.method_.is_unary() ? call_.out_.get() : nullptr);
    }
    void CancelCall() override {
      call_.seen_.Lock()->cancelled = true;
      OnSent(false);
    }

    FakeCall& call_;
    std::array<Text, 2> slots_;
  };
  class Upload final : public UploadDriver {
   public:
    Upload(FakeCall& call, std::unique_ptr<UploadSink> sink)
        : UploadDriver(call.support_, {call.shared_from_this(), call.call_.get()}, std::move(sink)), call_(call) {}

   private:
    void FinishCall(const CallEnd& end) override { call_.Finish(end); }
    FakeCall& call_;
  };

  class Talk final : public DialogueDriver {
   public:
    Talk(FakeCall& call, std::unique_ptr<Dialogue> dialogue)
        : DialogueDriver(call.support_, {call.shared_from_this(), call.call_.get()}, std::move(dialogue)), call_(call) {}

   private:
    void SendAnswer(google::protobuf::Message& message) override {
      Text copy(message.New());
      copy->CopyFrom(message);
      if (call_.Receive(std::move(copy))) OnSent(true);
    }
    void Receive() override {}
    void FinishCall(const CallEnd& end) override { call_.Finish(end); }
    void CancelCall() override {
      call_.seen_.Lock()->cancelled = true;
      OnSent(false);
    }
    FakeCall& call_;
  };

  LiveCall* Live() {
    if (upload_) return upload_.get();
    if (talk_) return talk_.get();
    return stream_.get();
  }
  bool Receive(Text message) {
    const auto seen = seen_.Lock();
    seen->messages.push_back(std::move(message));
    changed_.notify_all();
    return !seen->slow;
  }
  void Finish(const CallEnd& end, const google::protobuf::Message* answer = nullptr) {
    const auto seen = seen_.Lock();
    EXPECT_FALSE(seen->ended) << "a call ends once";
    if (answer != nullptr) {
      seen->messages.emplace_back(answer->New());
      seen->messages.back()->CopyFrom(*answer);
    }
    seen->ended = true;
    seen->end = end;
    changed_.notify_all();
  }

  const CallSupport& support_;
  const Method& method_;
  std::unique_ptr<CallContext> call_;
  Text in_;
  Text out_;
  std::shared_ptr<Stream> stream_;
  std::shared_ptr<Upload> upload_;
  std::shared_ptr<Talk> talk_;
  base::Guarded<Seen> seen_;
  std::condition_variable changed_;
};

// Drops the call when the test is through with it, as a transport does when the call is over.
class FakeCallPtr {
 public:
  explicit FakeCallPtr(std::shared_ptr<FakeCall> call) : call_(std::move(call)) {}
  FakeCallPtr(FakeCallPtr&&) noexcept = default;
  FakeCallPtr& operator=(FakeCallPtr&& other) noexcept {
    std::swap(call_, other.call_);
    return *this;
  }
  ~FakeCallPtr() {
    if (call_) call_->Drop();
  }
  FakeCall* operator->() const { return call_.get(); }

 private:
  std::shared_ptr<FakeCall> call_;
};

class FakeClient {
 public:
  FakeClient(const CallSupport& support, const MethodTable& methods, std::string certificate)
      : support_(support), methods_(methods), certificate_(std::move(certificate)) {}

  // With this token from now on; empty: with none.
  FakeClient& With(const std::string& token) {
    authorization_.clear();
    if (!token.empty()) authorization_.push_back("Bearer " + token);
    return *this;
  }
  FakeClient& Authorizations(std::vector<std::string> values) {
    authorization_ = std::move(values);
    return *this;
  }

  // Calls the method that takes this message.
  FakeCallPtr Call(const google::protobuf::Message& in) { return Call(MethodOf(in.GetDescriptor()), &in); }
  template <typename In>
  FakeCallPtr Upload() {
    return Call(MethodOf(In::descriptor()), nullptr);
  }
  FakeCallPtr Call(const Method& method, const google::protobuf::Message* in) {
    auto call = std::make_shared<FakeCall>(support_, method);
    call->Serve(certificate_, authorization_, in);
    return FakeCallPtr(std::move(call));
  }

 private:
  const Method& MethodOf(const google::protobuf::Descriptor* request) const {
    for (const auto& [path, method] : methods_.by_path()) {
      if (method->descriptor->input_type() == request) return *method;
    }
    ADD_FAILURE() << "no method takes " << request->full_name();
    std::abort();
  }

  const CallSupport& support_;
  const MethodTable& methods_;
  const std::string certificate_;
  std::vector<std::string> authorization_;
};

}  // namespace jobd::server::testing
