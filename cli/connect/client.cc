#include "cli/connect/client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "cli/connect/channel.h"
#include "cli/connect/check/answer_check.h"
#include "cli/connect/check/text_check.h"
#include "cli/connect/rpc_error.h"
#include "cli/connect/tls_probe.h"
#include "cli/connect/token_keeper.h"
#include "cli/view/proto_time.h"
#include "jobd/v1/admin_service.grpc.pb.h"
#include "jobd/v1/auth_service.grpc.pb.h"
#include "jobd/v1/job_query_service.grpc.pb.h"
#include "jobd/v1/job_schedule_service.grpc.pb.h"

namespace jobd::cli {

namespace {

using base::Nanos;
using base::Result;
using base::Status;

constexpr Nanos kUnaryLimit = 60 * base::kNanosPerSecond;
constexpr Nanos kSubmitLimit = 600 * base::kNanosPerSecond;
constexpr Nanos kRenewLimit = 20 * base::kNanosPerSecond;
constexpr Nanos kRestart = 2 * base::kNanosPerSecond;
constexpr Nanos kWorthAWord = base::kNanosPerSecond;
constexpr Nanos kFirstPause = 50 * base::kNanosPerMilli;
constexpr Nanos kLongestPause = base::kNanosPerSecond;
// Why jobd could not be reached is still true so long after it was found out.
constexpr Nanos kStillTrue = 3 * base::kNanosPerSecond;
// Whoever has waited for as long as was asked for waits so long for a reason.
constexpr Nanos kLastLook = base::kNanosPerSecond / 2;

std::chrono::system_clock::time_point In(Nanos delay) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::nanoseconds(delay));
}

// True when jobd sent the status, false when gRPC made it up because there is no connection. Only this text tells the two apart.
bool CameFromPeer(const grpc::ClientContext& context) {
  return context.debug_error_string().find("received from peer") != std::string::npos;
}

}  // namespace

void Canceller::Cancel() {
  const auto state = state_.Lock();
  state->cancelled = true;
  for (grpc::ClientContext* stream : state->streams) stream->TryCancel();
}

bool Canceller::cancelled() const { return state_.Lock()->cancelled; }

bool Canceller::Attach(grpc::ClientContext* stream) {
  const auto state = state_.Lock();
  if (state->cancelled) return false;
  state->streams.insert(stream);
  return true;
}

void Canceller::Detach(grpc::ClientContext* stream) { state_.Lock()->streams.erase(stream); }

struct Client::Impl {
  Connection connection;
  std::shared_ptr<grpc::Channel> channel;
  UnreachableNotice notice;
  base::SystemClock clock;
  std::unique_ptr<TokenKeeper> keeper;  // none: calls carry no token

  enum class Repeat { kYes, kNo };

  // Gives the token that goes with the call; empty: none.
  std::string Prepare(grpc::ClientContext& context) const {
    if (!keeper) return "";
    std::string token = keeper->Current();
    context.AddMetadata("authorization", "Bearer " + token);
    return token;
  }
  // Whether a call that was refused with this token is to be made again with another. Nothing was done then.
  bool HasFresherToken(const grpc::Status& status, const std::string& token) const {
    return status.error_code() == grpc::StatusCode::UNAUTHENTICATED && keeper && keeper->HasOtherThan(token);
  }

  Result<TokenKeeper::Renewed> Renew(const std::string& token) const {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token);
    context.set_deadline(In(kRenewLimit));
    v1::RenewResponse response;
    const grpc::Status status = v1::AuthService::NewStub(channel)->Renew(&context, {}, &response);
    if (!status.ok()) return ToError(status);
    return TokenKeeper::Renewed{.token = response.access_token(), .expires_in = FromDuration(response.expires_in())};
  }

  base::Error Unreachable(const std::string& reason) const {
    return {base::Code::kUnavailable, "cannot reach jobd at " + connection.address + ": " + reason};
  }

  // The error of a call. Without a connection gRPC does not tell the reason, so a probe finds it.
  base::Error Explain(const grpc::Status& status, Nanos budget = kProbeBudget) const {
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || connection.ca.empty()) return ToError(status);
    const ProbeResult probe = ProbeServer(connection, budget);
    if (!probe.reached) return Unreachable(probe.reason);
    return ToError(status);
  }

  // Waits for the connection to come back, or, when it stands and jobd is not ready, for the pause.
  void Pause(Nanos pause) const {
    if (channel->GetState(true) == GRPC_CHANNEL_READY) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(pause));
    } else {
      channel->WaitForConnected(In(pause));
    }
  }

  // `rpc` makes the call with `request`, in a fresh context each time.
  template <typename Request, typename Response, typename Rpc>
  Status Call(const Request& request, const Response& response, Repeat repeat, Nanos limit, Rpc rpc) const {
    JOBD_RETURN_IF_ERROR(CheckTexts(request));
    JOBD_RETURN_IF_ERROR(Call(repeat, limit, rpc));
    return CheckAnswer(response);
  }

  template <typename Rpc>
  Status Call(Repeat repeat, Nanos limit, Rpc rpc) const {
    if (connection.answer_within > 0) {
      grpc::ClientContext context;
      Prepare(context);
      context.set_deadline(In(std::min(limit, connection.answer_within)));
      const grpc::Status status = rpc(context);
      return status.ok() ? base::Ok() : ToError(status);
    }
    const Nanos begun = clock.Monotonic();
    Nanos give_up = begun + connection.connect_timeout;
    std::string reason;  // why it could not be reached
    Nanos found_at = 0;
    bool noticed = false;
    bool refreshed = false;
    for (Nanos pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
      const bool connected = channel->GetState(false) == GRPC_CHANNEL_READY;
      grpc::ClientContext context;
      const std::string token = Prepare(context);
      context.set_deadline(In(limit));
      const grpc::Status status = rpc(context);
      if (status.ok()) return base::Ok();
      if (!refreshed && HasFresherToken(status, token)) {
        refreshed = true;
        continue;
      }
      const bool may_repeat = repeat == Repeat::kYes && status.error_code() == grpc::StatusCode::UNAVAILABLE;
      // A jobd that answers UNAVAILABLE is asked again only for as long as a restart takes: it may mean it, as after `admin stop`.
      if (CameFromPeer(context)) give_up = std::min(give_up, begun + kRestart);
      const Nanos now = clock.Monotonic();
      if (may_repeat && now >= give_up && !CameFromPeer(context)) {
        // The time is over: nothing is looked at again that was looked at just now.
        if (!reason.empty() && now - found_at < kStillTrue) return Unreachable(reason);
        return Explain(status, kLastLook);
      }
      if (!may_repeat || now >= give_up) return Explain(status);
      // The first failure may be that of a certificate, which waiting does not mend. A long wait is worth a word.
      const bool first = pause == kFirstPause;
      const bool lasting = !noticed && clock.Monotonic() - begun > kWorthAWord;
      if (!connected && (first || lasting) && !connection.ca.empty()) {
        const ProbeResult probe = ProbeServer(connection, std::clamp<Nanos>(give_up - now, kLastLook, kProbeBudget));
        reason = probe.reached ? "" : probe.reason;
        found_at = clock.Monotonic();
        if (!probe.reached && !probe.may_pass) return Unreachable(probe.reason);
        if (!probe.reached && lasting && notice) notice("cannot reach jobd at " + connection.address + ": " + probe.reason);
        noticed = noticed || lasting;
      }
      Pause(std::min(pause, std::max<Nanos>(give_up - clock.Monotonic(), 1)));
    }
  }

  // One stream of answers, from begin to end. `begin` begins it in the context that it gets.
  template <typename Response, typename Request, typename Begin>
  Status Stream(const Request& request, Nanos timeout, const std::function<bool(const Response&)>& on_message, Canceller* canceller,
                Begin begin) const {
    JOBD_RETURN_IF_ERROR(CheckTexts(request));
    for (bool refreshed = false;;) {
      grpc::ClientContext context;
      const std::string token = Prepare(context);
      if (timeout > 0) context.set_deadline(In(timeout));
      if (!canceller->Attach(&context)) return base::Ok();
      const auto reader = begin(context);
      Response message;
      bool begun = false;
      bool stopped = false;
      Status checked;
      while (!stopped && reader->Read(&message)) {
        begun = true;
        checked = CheckAnswer(message);
        stopped = !checked.ok() || !on_message(message);
      }
      if (stopped) context.TryCancel();
      const grpc::Status status = reader->Finish();
      canceller->Detach(&context);
      JOBD_RETURN_IF_ERROR(std::move(checked));
      if (stopped || status.ok() || canceller->cancelled()) return base::Ok();
      if (refreshed || begun || !HasFresherToken(status, token)) return ToError(status);
      refreshed = true;
    }
  }

  auto Schedule() const { return v1::JobScheduleService::NewStub(channel); }
  auto Query() const { return v1::JobQueryService::NewStub(channel); }
  auto Admin() const { return v1::AdminService::NewStub(channel); }
  auto Auth() const { return v1::AuthService::NewStub(channel); }
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::Create(Connection connection, UnreachableNotice notice) {
  auto impl = std::make_unique<Impl>();
  JOBD_ASSIGN_OR_RETURN(impl->channel, MakeChannel(connection));
  // As messages name it: with the port that is used, also where none was given.
  connection.address = WithPort(connection.address);
  impl->connection = std::move(connection);
  impl->notice = std::move(notice);
  const auto renew = [raw = impl.get()](const std::string& token) { return raw->Renew(token); };
  JOBD_ASSIGN_OR_RETURN(impl->keeper, TokenKeeper::Open(impl->connection, renew, impl->clock));
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

std::unique_ptr<Client> Client::FromChannel(std::shared_ptr<grpc::Channel> channel, Connection connection) {
  auto impl = std::make_unique<Impl>();
  impl->channel = std::move(channel);
  impl->connection = std::move(connection);
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

// Each method is the same call with other types.
#define JOBD_UNARY(service, method, repeat, limit)             \
  impl_->Call(request, *response, Impl::Repeat::repeat, limit, \
              [&](auto& context) { return impl_->service()->method(&context, request, response); })

Status Client::ExecuteJob(const v1::ExecuteJobRequest& request, v1::ExecuteJobResponse* response) {
  JOBD_RETURN_IF_ERROR(JOBD_UNARY(Schedule, ExecuteJob, kYes, kUnaryLimit));
  return CheckAccepted(request.options().correlation_id(), 1, response->correlation_id(), 1);
}
Status Client::Cancel(const v1::CancelRequest& request, v1::CancelResponse* response) {
  return JOBD_UNARY(Schedule, Cancel, kYes, kUnaryLimit);
}
Status Client::Signal(const v1::SignalRequest& request, v1::SignalResponse* response) {
  return JOBD_UNARY(Schedule, Signal, kNo, kUnaryLimit);
}
Status Client::Retry(const v1::RetryRequest& request, v1::RetryResponse* response) {
  return JOBD_UNARY(Schedule, Retry, kNo, kUnaryLimit);
}
Status Client::Hold(const v1::HoldRequest& request, v1::HoldResponse* response) {
  return JOBD_UNARY(Schedule, Hold, kYes, kUnaryLimit);
}
Status Client::Release(const v1::ReleaseRequest& request, v1::ReleaseResponse* response) {
  return JOBD_UNARY(Schedule, Release, kYes, kUnaryLimit);
}
Status Client::RemoveBatch(const v1::RemoveBatchRequest& request) {
  v1::RemoveBatchResponse answer;
  v1::RemoveBatchResponse* const response = &answer;
  return JOBD_UNARY(Schedule, RemoveBatch, kNo, kUnaryLimit);
}
Status Client::PruneBatches(const v1::PruneBatchesRequest& request, v1::PruneBatchesResponse* response) {
  return JOBD_UNARY(Schedule, PruneBatches, kNo, kSubmitLimit);
}
Status Client::GetBatch(const v1::GetBatchRequest& request, v1::GetBatchResponse* response) {
  return JOBD_UNARY(Query, GetBatch, kYes, kUnaryLimit);
}
Status Client::Resolve(const v1::ResolveRequest& request, v1::ResolveResponse* response) {
  return JOBD_UNARY(Query, Resolve, kYes, kUnaryLimit);
}
Status Client::Explain(const v1::ExplainRequest& request, v1::ExplainResponse* response) {
  return JOBD_UNARY(Query, Explain, kYes, kUnaryLimit);
}
Status Client::ExplainOnce(const v1::ExplainRequest& request, v1::ExplainResponse* response) {
  return JOBD_UNARY(Query, Explain, kNo, base::kNanosPerSecond);
}
Status Client::ListBatches(const v1::ListBatchesRequest& request, v1::ListBatchesResponse* response) {
  return JOBD_UNARY(Query, ListBatches, kYes, kUnaryLimit);
}
Status Client::Login(const v1::LoginRequest& request, v1::LoginResponse* response) {
  return JOBD_UNARY(Auth, Login, kNo, kUnaryLimit);
}
Status Client::Logout(v1::LogoutResponse* response) {
  const v1::LogoutRequest request;
  return JOBD_UNARY(Auth, Logout, kNo, kUnaryLimit);
}
Status Client::WhoAmI(v1::WhoAmIResponse* response) {
  const v1::WhoAmIRequest request;
  return JOBD_UNARY(Auth, WhoAmI, kYes, kUnaryLimit);
}
Status Client::Start(v1::StartResponse* response) {
  const v1::StartRequest request;
  return JOBD_UNARY(Admin, Start, kYes, kUnaryLimit);
}
Status Client::Stop(const v1::StopRequest& request, v1::StopResponse* response) {
  return JOBD_UNARY(Admin, Stop, kYes, kUnaryLimit);
}
Status Client::Drain(v1::DrainResponse* response) {
  const v1::DrainRequest request;
  return JOBD_UNARY(Admin, Drain, kYes, kUnaryLimit);
}
Status Client::GetStatus(v1::GetStatusResponse* response) {
  const v1::GetStatusRequest request;
  return JOBD_UNARY(Admin, GetStatus, kNo, kUnaryLimit);
}
Status Client::Reload(const v1::ReloadRequest& request, v1::ReloadResponse* response) {
  return JOBD_UNARY(Admin, Reload, kYes, kUnaryLimit);
}
Status Client::GetConfig(v1::GetConfigResponse* response) {
  const v1::GetConfigRequest request;
  return JOBD_UNARY(Admin, GetConfig, kYes, kUnaryLimit);
}
Status Client::ListSessions(const v1::ListSessionsRequest& request, v1::ListSessionsResponse* response) {
  return JOBD_UNARY(Admin, ListSessions, kYes, kUnaryLimit);
}
Status Client::EndSessions(const v1::EndSessionsRequest& request, v1::EndSessionsResponse* response) {
  return JOBD_UNARY(Admin, EndSessions, kYes, kUnaryLimit);
}
#undef JOBD_UNARY

bool Client::has_token() const { return impl_->keeper != nullptr; }

Status Client::SubmitBatch(const v1::BatchOptions& options, const std::vector<JobDraft>& jobs, v1::SubmitBatchResponse* response) {
  // The service takes messages of 4 MiB, and a single job may be nearly that large.
  constexpr size_t kFullMessage = size_t{256} << 10;
  for (size_t i = 0; i < jobs.size(); ++i) {
    v1::JobSpec spec;
    ToProto(jobs[i], &spec);
    if (auto checked = CheckTexts(spec); !checked.ok()) {
      return std::move(checked).error().WithContext("job " + std::to_string(i + 1));
    }
  }
  JOBD_RETURN_IF_ERROR(impl_->Call(options, *response, Impl::Repeat::kYes, kSubmitLimit, [&](grpc::ClientContext& context) {
    const auto writer = impl_->Schedule()->SubmitBatch(&context, response);
    v1::SubmitBatchRequest message;
    *message.mutable_options() = options;
    size_t size = 0;
    bool open = true;
    for (const JobDraft& job : jobs) {
      v1::JobSpec spec;
      ToProto(job, &spec);
      const size_t job_size = spec.ByteSizeLong();
      if (size > 0 && size + job_size > kFullMessage) {
        open = writer->Write(message);
        message.Clear();
        size = 0;
      }
      if (!open) break;
      size += job_size;
      *message.add_jobs() = std::move(spec);
    }
    // When a write fails the service has ended the call, and Finish tells why.
    if (open) writer->Write(message);
    writer->WritesDone();
    return writer->Finish();
  }));
  return CheckAccepted(options.correlation_id(), jobs.size(), response->correlation_id(), response->job_count());
}

Status Client::StreamLogs(const v1::StreamLogsRequest& request,
                          const std::function<bool(const v1::StreamLogsResponse&)>& on_message, Canceller* canceller) {
  return impl_->Stream(request, 0, on_message, canceller,
                       [&](grpc::ClientContext& context) { return impl_->Query()->StreamLogs(&context, request); });
}

Status Client::WatchBatch(const v1::WatchBatchRequest& request, Nanos timeout,
                          const std::function<bool(const v1::WatchBatchResponse&)>& on_message, Canceller* canceller) {
  return impl_->Stream(request, timeout, on_message, canceller,
                       [&](grpc::ClientContext& context) { return impl_->Query()->WatchBatch(&context, request); });
}

bool Client::AwaitConnection(Nanos timeout) { return impl_->channel->WaitForConnected(In(timeout)); }

}  // namespace jobd::cli
