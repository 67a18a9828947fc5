// jobd as seen from here: a method per RPC, errors as values. gRPC is known behind this header only.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "base/guarded.h"
#include "base/result.h"
#include "cli/batch/job_draft.h"
#include "cli/connect/settings.h"

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace jobd::v1 {
class BatchOptions;
class CancelRequest;
class CancelResponse;
class DrainResponse;
class EndSessionsRequest;
class EndSessionsResponse;
class ExecuteJobRequest;
class ExecuteJobResponse;
class ExplainRequest;
class ExplainResponse;
class GetBatchRequest;
class GetBatchResponse;
class GetConfigResponse;
class GetStatusResponse;
class HoldRequest;
class HoldResponse;
class ListBatchesRequest;
class ListBatchesResponse;
class ListSessionsRequest;
class ListSessionsResponse;
class LoginRequest;
class LoginResponse;
class LogoutResponse;
class PruneBatchesRequest;
class PruneBatchesResponse;
class ReleaseRequest;
class ReleaseResponse;
class ReloadRequest;
class ReloadResponse;
class RemoveBatchRequest;
class ResolveRequest;
class ResolveResponse;
class RetryRequest;
class RetryResponse;
class SignalRequest;
class SignalResponse;
class StartResponse;
class StopRequest;
class StopResponse;
class StreamLogsRequest;
class StreamLogsResponse;
class SubmitBatchResponse;
class WatchBatchRequest;
class WatchBatchResponse;
class WhoAmIResponse;
}  // namespace jobd::v1

namespace jobd::cli {

// Ends streams from another thread: as many as run with it, all at once. Thread-safe; one use.
class Canceller {
 public:
  // Ends the streams that run, and every one that is begun with this object later.
  void Cancel();
  bool cancelled() const;

 private:
  friend class Client;
  struct State {
    std::set<grpc::ClientContext*> streams;  // borrowed, between Attach and Detach
    bool cancelled = false;
  };
  // False when it is cancelled already; then there is nothing to detach.
  bool Attach(grpc::ClientContext* stream);
  void Detach(grpc::ClientContext* stream);

  base::Guarded<State> state_;
};

// One connection, made when it is first needed. Thread-safe. All texts of the service in errors are escaped for a terminal and cut
// to a bearable length. A call that may be repeated without risk is repeated while nobody answers: with growing pauses, for the
// connection's connect_timeout. kUnavailable reads "cannot reach jobd at …".
class Client {
 public:
  // Told once per call that waits for more than a second for a service that does not answer.
  using UnreachableNotice = std::function<void(const std::string& reason)>;

  // Reads the certificates and the token; does not connect. The token is renewed as long as the client lives.
  static base::Result<std::unique_ptr<Client>> Create(Connection connection, UnreachableNotice notice);
  // Speaks over a channel made elsewhere.
  static std::unique_ptr<Client> FromChannel(std::shared_ptr<grpc::Channel> channel, Connection connection);
  ~Client();

  base::Status ExecuteJob(const v1::ExecuteJobRequest& request, v1::ExecuteJobResponse* response);
  base::Status SubmitBatch(const v1::BatchOptions& options, const std::vector<JobDraft>& jobs, v1::SubmitBatchResponse* response);
  base::Status Cancel(const v1::CancelRequest& request, v1::CancelResponse* response);
  base::Status Signal(const v1::SignalRequest& request, v1::SignalResponse* response);
  base::Status Retry(const v1::RetryRequest& request, v1::RetryResponse* response);
  base::Status Hold(const v1::HoldRequest& request, v1::HoldResponse* response);
  base::Status Release(const v1::ReleaseRequest& request, v1::ReleaseResponse* response);
  base::Status RemoveBatch(const v1::RemoveBatchRequest& request);
  base::Status PruneBatches(const v1::PruneBatchesRequest& request, v1::PruneBatchesResponse* response);

  base::Status GetBatch(const v1::GetBatchRequest& request, v1::GetBatchResponse* response);
  base::Status Resolve(const v1::ResolveRequest& request, v1::ResolveResponse* response);
  base::Status Explain(const v1::ExplainRequest& request, v1::ExplainResponse* response);
  // The same for who can do without the answer: asked once, for a second.
  base::Status ExplainOnce(const v1::ExplainRequest& request, v1::ExplainResponse* response);
  base::Status ListBatches(const v1::ListBatchesRequest& request, v1::ListBatchesResponse* response);

  // Asked once: a second try may count as one more wrong password.
  base::Status Login(const v1::LoginRequest& request, v1::LoginResponse* response);
  base::Status Logout(v1::LogoutResponse* response);
  base::Status WhoAmI(v1::WhoAmIResponse* response);
  base::Status Start(v1::StartResponse* response);
  base::Status Stop(const v1::StopRequest& request, v1::StopResponse* response);
  base::Status Drain(v1::DrainResponse* response);
  // Does not wait for a service that does not answer.
  base::Status GetStatus(v1::GetStatusResponse* response);
  base::Status Reload(const v1::ReloadRequest& request, v1::ReloadResponse* response);
  base::Status GetConfig(v1::GetConfigResponse* response);
  base::Status ListSessions(const v1::ListSessionsRequest& request, v1::ListSessionsResponse* response);
  base::Status EndSessions(const v1::EndSessionsRequest& request, v1::EndSessionsResponse* response);

  // Whether calls carry a token.
  bool has_token() const;

  // One stream, from begin to end: on_message is called for each message and ends the stream by returning false. It is a success
  // when the service, on_message or the canceller ended the stream. Streams are not repeated: see Reconnect.
  base::Status StreamLogs(const v1::StreamLogsRequest& request,
                          const std::function<bool(const v1::StreamLogsResponse&)>& on_message, Canceller* canceller);
  // `timeout` 0: none; when it has passed, kDeadlineExceeded.
  base::Status WatchBatch(const v1::WatchBatchRequest& request, base::Nanos timeout,
                          const std::function<bool(const v1::WatchBatchResponse&)>& on_message, Canceller* canceller);

  // Waits until there is a connection, or `timeout` has passed. True when there is.
  bool AwaitConnection(base::Nanos timeout);

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace jobd::cli
