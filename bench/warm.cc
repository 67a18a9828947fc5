// What a caller with a connection waits for, as jobctl run calls: a job is submitted, then its output followed to its end.
//
//   bench_warm ROUNDS PROFILE COMMAND…    a line per round, in ms: a call that does nothing, accepted, first byte, end; the last
//   three since
//                                 the submission began
//
// The command must print something. Needs JOBCTL_ADDRESS and its like.
#include <cstdio>
#include <cstdlib>

#include "bench/client.h"
#include "jobd/v1/auth_service.grpc.pb.h"
#include "jobd/v1/job_query_service.grpc.pb.h"
#include "jobd/v1/job_schedule_service.grpc.pb.h"

namespace jobd::bench {
namespace {

class Caller {
 public:
  explicit Caller(const std::shared_ptr<grpc::Channel>& channel)
      : auth_(v1::AuthService::NewStub(channel)),
        schedule_(v1::JobScheduleService::NewStub(channel)),
        query_(v1::JobQueryService::NewStub(channel)) {}

  double Nothing() {
    const auto begin = Clock::now();
    grpc::ClientContext context;
    v1::WhoAmIResponse response;
    Demand(auth_->WhoAmI(&context, {}, &response), "WhoAmI");
    return MillisSince(begin);
  }

  void Job(const v1::ExecuteJobRequest& request, double nothing_ms) {
    const auto begin = Clock::now();
    grpc::ClientContext context;
    v1::ExecuteJobResponse response;
    Demand(schedule_->ExecuteJob(&context, request, &response), "ExecuteJob");
    const double accepted = MillisSince(begin);

    v1::StreamLogsRequest logs;
    logs.set_correlation_id(response.correlation_id());
    logs.set_index(1);
    logs.set_follow(true);
    grpc::ClientContext stream_context;
    const auto reader = query_->StreamLogs(&stream_context, logs);
    double first = 0;
    double end = 0;
    for (v1::StreamLogsResponse message; reader->Read(&message);) {
      if (first == 0 && message.chunks_size() > 0) first = MillisSince(begin);
      if (message.ends_size() > 0) end = MillisSince(begin);
    }
    Demand(reader->Finish(), "StreamLogs");
    std::printf("%.4f %.4f %.4f %.4f\n", nothing_ms, accepted, first, end);
  }

 private:
  std::unique_ptr<v1::AuthService::Stub> auth_;
  std::unique_ptr<v1::JobScheduleService::Stub> schedule_;
  std::unique_ptr<v1::JobQueryService::Stub> query_;
};

}  // namespace

int Main(int argc, char** argv) {
  if (argc < 4) return 2;
  Caller caller(Connect());
  v1::ExecuteJobRequest request;
  request.mutable_job()->set_profile(argv[2]);
  for (int i = 3; i < argc; ++i) request.mutable_job()->add_argv(argv[i]);
  caller.Nothing();  // connects
  for (int round = std::atoi(argv[1]); round > 0; --round) caller.Job(request, caller.Nothing());
  return 0;
}

}  // namespace jobd::bench

int main(int argc, char** argv) { return jobd::bench::Main(argc, argv); }
