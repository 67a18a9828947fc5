// What a handler is given and gives: messages, a reply, a source of messages, a sink of messages. No transport is known here.
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <memory>
#include <variant>

#include "base/clock.h"
#include "base/result.h"

namespace jobd::server {

class CallContext;

using Message = google::protobuf::Message;

// A call that answers with many messages, or with one that may be long in coming. Used by one thread at a time. Its driver
// (stream_driver.h) asks for the next message when the client has taken the ones before, so a slow client costs no memory.
class StreamSource {
 public:
  enum class Next {
    kSend,         // send the message; make the next one when the client has taken it
    kSendAndGoOn,  // send it, and make the next one meanwhile: there is enough for it
    kSendAndArm,   // send it, and make the next one when there is more: the last look saw no more
    kWait,         // there is no message yet
    kEnd,          // there is no other message
  };
  virtual ~StreamSource() = default;
  // Makes the next message in `out`, which may hold an earlier one. For kEnd, `end` says how the call ends. May read files.
  virtual Next Produce(Message& out, base::Status& end) = 0;
  // Has `wake` called once, from any thread, when Produce may have more; at once if it already may. `wake` must not block and must
  // not destroy the source. The source's destructor cancels it.
  virtual void Arm(std::function<void()> wake) = 0;
};

// The transport's side of a call that waits for its answer. Exactly one of these is called, once, from any thread.
class Answerable {
 public:
  virtual ~Answerable() = default;
  // The answer is the `out` message that the handler was given.
  virtual void Succeed() = 0;
  // `retry_after`: how long it is until the same call may succeed; 0: nobody knows.
  virtual void Fail(const base::Error& error, base::Nanos retry_after) = 0;
  // The call lasts: it is answered, with `out`, when the source ends. Until then the caller's right is checked again and again, and
  // the call ends with the client.
  virtual void Await(std::unique_ptr<StreamSource> source) = 0;
};

// Answers a call, exactly once. Copies are the same reply, for callbacks that are copied; when the last is destroyed without an
// answer, the call fails as an internal error. Request, answer and CallContext live until the answer. Thread-safe.
class Reply {
 public:
  explicit Reply(std::shared_ptr<Answerable> call);
  void Succeed() const;
  void Fail(const base::Error& error, base::Nanos retry_after = 0) const;
  void Await(std::unique_ptr<StreamSource> source) const;

 private:
  class Once;
  std::shared_ptr<Once> once_;
};

// Takes the messages of an upload. Used by one thread at a time.
class UploadSink {
 public:
  virtual ~UploadSink() = default;
  // The next message; it may be emptied. An error ends the upload and is its answer.
  virtual base::Status Take(Message& message) = 0;
  // The client has ended the upload and may still make it: now it takes effect. Once, and nothing follows.
  virtual void Submit(Message& out, Reply reply) = 0;
};

// Answers the messages of a call one by one, each before the next is taken. Used by one thread at a time; must not block.
class Dialogue {
 public:
  virtual ~Dialogue() = default;
  // Makes the answer in `out`, which is empty. An error ends the call.
  virtual base::Status Answer(const Message& in, Message& out) = 0;
};

using UnaryHandler = std::function<void(CallContext& call, const Message& in, Message& out, Reply reply)>;
// An error ends the call before it lasts.
using StreamHandler = std::function<base::Result<std::unique_ptr<StreamSource>>(CallContext& call, const Message& in)>;
using UploadHandler = std::function<std::unique_ptr<UploadSink>(CallContext& call)>;
using DialogueHandler = std::function<std::unique_ptr<Dialogue>(CallContext& call)>;

// A handler with the types of its messages, by which MethodTable finds its method.
struct Handler {
  const google::protobuf::Descriptor* request = nullptr;
  const google::protobuf::Descriptor* response = nullptr;
  std::variant<UnaryHandler, StreamHandler, UploadHandler, DialogueHandler> serve;
};

// ---- handlers with typed messages ----

template <typename Out>
class SourceOf : public StreamSource {
 public:
  Next Produce(Message& out, base::Status& end) final { return Make(static_cast<Out&>(out), end); }

 protected:
  // As StreamSource::Produce.
  virtual Next Make(Out& out, base::Status& end) = 0;
};

template <typename In, typename Out>
class SinkOf : public UploadSink {
 public:
  base::Status Take(Message& message) final { return TakeTyped(static_cast<In&>(message)); }
  void Submit(Message& out, Reply reply) final { SubmitTyped(static_cast<Out&>(out), std::move(reply)); }

 protected:
  virtual base::Status TakeTyped(In& message) = 0;
  virtual void SubmitTyped(Out& out, Reply reply) = 0;
};

template <typename In, typename Out>
class DialogueOf : public Dialogue {
 public:
  base::Status Answer(const Message& in, Message& out) final {
    return AnswerTyped(static_cast<const In&>(in), static_cast<Out&>(out));
  }

 protected:
  virtual base::Status AnswerTyped(const In& in, Out& out) = 0;
};

// `api` is whatever the handlers share; it outlives them.
template <typename Api, typename In, typename Out>
Handler Serve(const Api& api, void (*handler)(const Api&, CallContext&, const In&, Out&, Reply)) {
  return {In::descriptor(), Out::descriptor(),
          UnaryHandler([&api, handler](CallContext& call, const Message& in, Message& out, Reply reply) {
            handler(api, call, static_cast<const In&>(in), static_cast<Out&>(out), std::move(reply));
          })};
}

template <typename Api, typename In, typename Out>
Handler Serve(const Api& api, base::Result<std::unique_ptr<SourceOf<Out>>> (*handler)(const Api&, CallContext&, const In&)) {
  return {In::descriptor(), Out::descriptor(),
          StreamHandler([&api, handler](CallContext& call, const Message& in) -> base::Result<std::unique_ptr<StreamSource>> {
            JOBD_ASSIGN_OR_RETURN(auto source, handler(api, call, static_cast<const In&>(in)));
            return std::unique_ptr<StreamSource>(std::move(source));
          })};
}

template <typename Api, typename In, typename Out>
Handler Serve(const Api& api, std::unique_ptr<SinkOf<In, Out>> (*handler)(const Api&, CallContext&)) {
  return {In::descriptor(), Out::descriptor(),
          UploadHandler([&api, handler](CallContext& call) -> std::unique_ptr<UploadSink> { return handler(api, call); })};
}

template <typename Api, typename In, typename Out>
Handler Serve(const Api& api, std::unique_ptr<DialogueOf<In, Out>> (*handler)(const Api&, CallContext&)) {
  return {In::descriptor(), Out::descriptor(),
          DialogueHandler([&api, handler](CallContext& call) -> std::unique_ptr<Dialogue> { return handler(api, call); })};
}

}  // namespace jobd::server
