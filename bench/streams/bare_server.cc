#include "bench/streams/bare_server.h"

#include <fcntl.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "jobd/v1/job_query_service.grpc.pb.h"
#include "tests/e2e/harness/daemon.h"

namespace jobd::bench {
namespace {

using Reactor = grpc::ServerWriteReactor<grpc::ByteBuffer>;

grpc::ByteBuffer ToBuffer(const v1::StreamLogsResponse& message) {
  grpc::ByteBuffer buffer;
  bool own = false;
  (void)grpc::SerializationTraits<v1::StreamLogsResponse>::Serialize(message, &buffer, &own);
  return buffer;
}

class Bulk final : public Reactor {
 public:
  Bulk(const v1::StreamLogsRequest& request, bool raw) : raw_(raw), size_(request.index()), left_(request.offset()) {
    message_.add_chunks()->set_data(std::string(size_, 'x'));
    buffer_ = ToBuffer(message_);
    Next();
  }

 private:
  void Next() {
    if (left_ < size_) return Finish(grpc::Status::OK);
    left_ -= size_;
    if (!raw_) buffer_ = ToBuffer(message_);
    StartWrite(&buffer_);
  }
  void OnWriteDone(bool ok) override { ok ? Next() : Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }

  const bool raw_;
  const uint64_t size_;
  uint64_t left_;
  v1::StreamLogsResponse message_;
  grpc::ByteBuffer buffer_;
};

class LineFollower final : public Reactor {
 public:
  // `gone` is called once, before it destroys itself.
  explicit LineFollower(std::function<void(LineFollower*)> gone) : gone_(std::move(gone)) { StartSendInitialMetadata(); }

  void Add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    waiting_ += text;
    if (!std::exchange(busy_, true)) Send();
  }
  void End() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    if (!std::exchange(busy_, true)) Finish(grpc::Status::OK);
  }

 private:
  void Send() {
    v1::StreamLogsResponse message;
    message.add_chunks()->set_data(std::exchange(waiting_, {}));
    buffer_ = ToBuffer(message);
    StartWrite(&buffer_);
  }
  void OnWriteDone(bool /*ok*/) override {
    const std::lock_guard lock(mutex_);
    if (!waiting_.empty()) return Send();
    if (ended_) return Finish(grpc::Status::OK);
    busy_ = false;
  }
  void OnCancel() override { End(); }
  void OnDone() override {
    gone_(this);
    delete this;
  }

  const std::function<void(LineFollower*)> gone_;
  std::mutex mutex_;
  bool busy_ = false;
  bool ended_ = false;
  std::string waiting_;
  grpc::ByteBuffer buffer_;
};

class BareService final : public v1::JobQueryService::WithRawCallbackMethod_StreamLogs<v1::JobQueryService::Service> {
 public:
  explicit BareService(std::string command) : command_(std::move(command)) {}

  Reactor* StreamLogs(grpc::CallbackServerContext* /*context*/, const grpc::ByteBuffer* bytes) override {
    v1::StreamLogsRequest request;
    grpc::ByteBuffer copy(*bytes);
    (void)grpc::SerializationTraits<v1::StreamLogsRequest>::Deserialize(&copy, &request);
    if (request.correlation_id() != "follow") return new Bulk(request, request.correlation_id() == "raw");
    auto* const follower = new LineFollower([this](LineFollower* one) {
      const std::lock_guard lock(mutex_);
      followers_.erase(one);
    });
    const std::lock_guard lock(mutex_);
    follower->Add("0\n");  // as the writer does
    followers_.insert(follower);
    if (!std::exchange(started_, true)) std::thread([this] { ReadWriter(); }).detach();
    return follower;
  }

 private:
  void ReadWriter() {
    std::FILE* const writer = ::popen(command_.c_str(), "re");
    char bytes[65536];
    ssize_t n = 0;
    size_t skip = 2;  // its first line says that it is ready, which here is told at once
    while ((n = ::read(::fileno(writer), bytes, sizeof bytes)) > 0) {
      const size_t skipped = std::min(skip, static_cast<size_t>(n));
      skip -= skipped;
      const std::string text(bytes + skipped, static_cast<size_t>(n) - skipped);
      if (text.empty()) continue;
      const std::lock_guard lock(mutex_);
      for (LineFollower* const one : followers_) one->Add(text);
    }
    ::pclose(writer);
    const std::lock_guard lock(mutex_);
    started_ = false;
    for (LineFollower* const one : followers_) one->End();
  }

  const std::string command_;
  std::mutex mutex_;
  bool started_ = false;
  std::set<LineFollower*> followers_;
};

}  // namespace

int RunBareServer(const std::string& certs, const std::string& writer, const std::string& ticks, const std::string& micros,
                  const std::string& fifo) {
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = e2e::ReadFileOrEmpty(certs + "/ca.crt");
  options.pem_key_cert_pairs = {{e2e::ReadFileOrEmpty(certs + "/server.key"), e2e::ReadFileOrEmpty(certs + "/server.crt")}};
  // Not destroyed: it serves until it is killed.
  auto* const service = new BareService("exec " + writer + " ticks " + ticks + " " + micros + " " + fifo);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(options), &port);
  builder.RegisterService(service);
  const auto server = builder.BuildAndStart();
  if (!server) return 1;
  std::printf("%d\n", port);
  std::fflush(stdout);
  server->Wait();
  return 0;
}

}  // namespace jobd::bench
