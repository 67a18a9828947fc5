// The handlers of all methods of the API: a message in, a question to the worker, a message out. No transport is known here.
//
// A new method needs its handler here, its line in Handlers(), and its rule in auth/access_table.cc.
#pragma once

#include <memory>
#include <vector>

#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "jobd/v1/admin_service.pb.h"
#include "jobd/v1/auth_service.pb.h"
#include "jobd/v1/job_query_service.pb.h"
#include "jobd/v1/job_schedule_service.pb.h"
#include "server/api/api.h"
#include "server/rpc/call_context.h"
#include "server/rpc/handler.h"

namespace jobd::server {

// All of them, for MethodTable::Build. `api` outlives the result.
std::vector<Handler> Handlers(const Api& api);

namespace handlers {

namespace v1 = jobd::v1;
template <typename Message>
using Source = base::Result<std::unique_ptr<SourceOf<Message>>>;

// auth.cc
void Login(const Api& api, CallContext& call, const v1::LoginRequest& in, v1::LoginResponse& out, Reply reply);
void Renew(const Api& api, CallContext& call, const v1::RenewRequest& in, v1::RenewResponse& out, Reply reply);
void Logout(const Api& api, CallContext& call, const v1::LogoutRequest& in, v1::LogoutResponse& out, Reply reply);
// whoami.cc
void WhoAmI(const Api& api, CallContext& call, const v1::WhoAmIRequest& in, v1::WhoAmIResponse& out, Reply reply);

// schedule.cc. With `wait` ExecuteJob answers when the job has ended. A client that leaves before that, or loses its right, loses
// the answer; the job goes on.
void ExecuteJob(const Api& api, CallContext& call, const v1::ExecuteJobRequest& in, v1::ExecuteJobResponse& out, Reply reply);
void Cancel(const Api& api, CallContext& call, const v1::CancelRequest& in, v1::CancelResponse& out, Reply reply);
void Signal(const Api& api, CallContext& call, const v1::SignalRequest& in, v1::SignalResponse& out, Reply reply);
void Retry(const Api& api, CallContext& call, const v1::RetryRequest& in, v1::RetryResponse& out, Reply reply);
void Hold(const Api& api, CallContext& call, const v1::HoldRequest& in, v1::HoldResponse& out, Reply reply);
void Release(const Api& api, CallContext& call, const v1::ReleaseRequest& in, v1::ReleaseResponse& out, Reply reply);
void RemoveBatch(const Api& api, CallContext& call, const v1::RemoveBatchRequest& in, v1::RemoveBatchResponse& out, Reply reply);
void PruneBatches(const Api& api, CallContext& call, const v1::PruneBatchesRequest& in, v1::PruneBatchesResponse& out, Reply reply);

// submit_upload.cc. Gathers a batch, and submits it when it is whole.
std::unique_ptr<SinkOf<v1::SubmitBatchRequest, v1::SubmitBatchResponse>> SubmitBatch(const Api& api, CallContext& call);

// query.cc
void GetBatch(const Api& api, CallContext& call, const v1::GetBatchRequest& in, v1::GetBatchResponse& out, Reply reply);
void Resolve(const Api& api, CallContext& call, const v1::ResolveRequest& in, v1::ResolveResponse& out, Reply reply);
void Explain(const Api& api, CallContext& call, const v1::ExplainRequest& in, v1::ExplainResponse& out, Reply reply);
void ListBatches(const Api& api, CallContext& call, const v1::ListBatchesRequest& in, v1::ListBatchesResponse& out, Reply reply);

// streams.cc
Source<v1::SearchJobResponse> SearchJob(const Api& api, CallContext& call, const v1::SearchJobRequest& in);
Source<v1::StreamLogsResponse> StreamLogs(const Api& api, CallContext& call, const v1::StreamLogsRequest& in);
Source<v1::WatchBatchResponse> WatchBatch(const Api& api, CallContext& call, const v1::WatchBatchRequest& in);

// admin.cc
void Start(const Api& api, CallContext& call, const v1::StartRequest& in, v1::StartResponse& out, Reply reply);
void Stop(const Api& api, CallContext& call, const v1::StopRequest& in, v1::StopResponse& out, Reply reply);
void Drain(const Api& api, CallContext& call, const v1::DrainRequest& in, v1::DrainResponse& out, Reply reply);
void GetStatus(const Api& api, CallContext& call, const v1::GetStatusRequest& in, v1::GetStatusResponse& out, Reply reply);
void Reload(const Api& api, CallContext& call, const v1::ReloadRequest& in, v1::ReloadResponse& out, Reply reply);
void GetConfig(const Api& api, CallContext& call, const v1::GetConfigRequest& in, v1::GetConfigResponse& out, Reply reply);

// sessions.cc
void ListSessions(const Api& api, CallContext& call, const v1::ListSessionsRequest& in, v1::ListSessionsResponse& out, Reply reply);
void EndSessions(const Api& api, CallContext& call, const v1::EndSessionsRequest& in, v1::EndSessionsResponse& out, Reply reply);

// health.cc
void Check(const Api& api, CallContext& call, const grpc::health::v1::HealthCheckRequest& in,
           grpc::health::v1::HealthCheckResponse& out, Reply reply);
Source<grpc::health::v1::HealthCheckResponse> Watch(const Api& api, CallContext& call,
                                                    const grpc::health::v1::HealthCheckRequest& in);

// reflection.cc
std::unique_ptr<DialogueOf<grpc::reflection::v1alpha::ServerReflectionRequest, grpc::reflection::v1alpha::ServerReflectionResponse>>
ServerReflectionInfo(const Api& api, CallContext& call);

}  // namespace handlers
}  // namespace jobd::server
