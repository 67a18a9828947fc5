#include "tests/e2e/api/api.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <cstdlib>
#include <filesystem>

namespace jobd::e2e {

std::shared_ptr<grpc::Channel> Connect(const Daemon& daemon, const std::string& user) {
  const std::string certs = daemon.CertDir() + "/";
  const grpc::SslCredentialsOptions options{.pem_root_certs = ReadFileOrEmpty(certs + "ca.crt"),
                                            .pem_private_key = ReadFileOrEmpty(certs + user + ".key"),
                                            .pem_cert_chain = ReadFileOrEmpty(certs + user + ".crt")};
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  return grpc::CreateCustomChannel("ipv4:" + daemon.Address(), grpc::SslCredentials(options), arguments);
}

v1::StreamLogsRequest FollowOf(const std::string& id) {
  v1::StreamLogsRequest request;
  request.set_correlation_id(id);
  request.set_index(1);
  request.set_follow(true);
  return request;
}

v1::JobSpec ShellJob(const std::string& script) {
  v1::JobSpec job;
  for (const std::string& word : {std::string("/bin/sh"), std::string("-c"), script}) job.add_argv(word);
  return job;
}

uint64_t MemoryOf(pid_t pid, const std::string& kind) {
  const std::string status = ReadFileOrEmpty("/proc/" + std::to_string(pid) + "/status");
  const size_t at = status.find("\n" + kind + ":");
  return at == std::string::npos ? 0 : std::strtoull(status.c_str() + at + kind.size() + 2, nullptr, 10) * 1024;
}

uint64_t DescriptorsOf(pid_t pid) {
  uint64_t count = 0;
  std::error_code ignored;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored)) {
    ++count;
  }
  return count;
}

uint64_t HashOn(uint64_t hash, const std::string& bytes) {
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

Follower::Follower(const std::shared_ptr<grpc::Channel>& channel, const v1::StreamLogsRequest& request, int messages,
                   OnMessage on_message)
    : stub_(v1::JobQueryService::NewStub(channel)),
      request_(request),
      on_message_(std::move(on_message)),
      messages_left_(messages),
      hash_(kHashStart) {
  stub_->async()->StreamLogs(&context_, &request_, this);
  AddHold();  // Resume starts reads from outside
  StartRead(&response_);
  StartCall();
}

Follower::~Follower() {
  Cancel();
  Resume();
  (void)WaitForEnd(Seconds(3600));
}

void Follower::Resume() {
  const std::lock_guard lock(mutex_);
  messages_left_ = kAll;
  if (!idle_) return;
  idle_ = false;
  StartRead(&response_);
}

bool Follower::WaitForBytes(uint64_t bytes, Seconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return bytes_ >= bytes || done_; });
}

bool Follower::WaitForEnd(Seconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return done_; });
}

uint64_t Follower::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}
uint64_t Follower::hash() const {
  const std::lock_guard lock(mutex_);
  return hash_;
}
uint64_t Follower::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}
std::string Follower::cursor() const {
  const std::lock_guard lock(mutex_);
  return cursor_;
}
grpc::Status Follower::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Follower::OnReadDone(bool ok) {
  if (!ok) return RemoveHold();
  if (on_message_) on_message_(response_);
  const std::lock_guard lock(mutex_);
  for (const auto& chunk : response_.chunks()) {
    bytes_ += chunk.data().size();
    dropped_ += chunk.dropped();
    hash_ = HashOn(hash_, chunk.data());
  }
  cursor_ = response_.cursor();
  if (messages_left_ > 0) --messages_left_;
  idle_ = messages_left_ == 0;
  if (!idle_) StartRead(&response_);
  changed_.notify_all();
}

void Follower::OnDone(const grpc::Status& status) {
  // The last touch: whoever waits may destroy this as soon as the lock is free.
  const std::lock_guard lock(mutex_);
  status_ = status;
  done_ = true;
  changed_.notify_all();
}

}  // namespace jobd::e2e
