// How many calls a second a service takes from several callers at once, each of which makes one after the other.
//
//   bench_submit job CALLERS CONNECTIONS COUNT     COUNT submissions of one job each; afterwards cancelled and removed, untimed
//   bench_submit unary CALLERS CONNECTIONS COUNT   COUNT calls that do nothing
//   bench_submit batch JOBS                        one batch of JOBS jobs; likewise
//
// Prints calls a second and the p50 and p99 of a call in ms; of a batch, ms. The jobs must not be able to start meanwhile.
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "bench/client.h"
#include "jobd/v1/auth_service.grpc.pb.h"
#include "jobd/v1/job_schedule_service.grpc.pb.h"

namespace jobd::bench {
namespace {

constexpr int kJobsPerMessage = 1000;
constexpr int kRemovers = 64;
using Channels = std::vector<std::shared_ptr<grpc::Channel>>;
using OnAnswer = std::function<void(const grpc::Status&)>;
// Begins call `index` on gRPC's threads, by the caller `caller`.
using Begin = std::function<void(int index, int caller, grpc::ClientContext* context, OnAnswer answered)>;

// So many callers share so many calls; the answer of a call begins its caller's next.
class Callers {
 public:
  Callers(int callers, int count, Begin begin) : begin_(std::move(begin)), count_(count), contexts_(static_cast<size_t>(callers)) {}

  // Returns when all calls are answered, with how long each took in ms.
  std::vector<double> Run() {
    for (size_t caller = 0; caller < contexts_.size(); ++caller) Next(static_cast<int>(caller));
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return millis_.size() == static_cast<size_t>(count_); });
    return std::move(millis_);
  }

 private:
  void Next(int caller) {
    int index = 0;
    {
      const std::lock_guard lock(mutex_);
      if (begun_ == count_) return;
      index = begun_++;
    }
    auto& context = contexts_[static_cast<size_t>(caller)];
    context = std::make_unique<grpc::ClientContext>();
    begin_(index, caller, context.get(), [this, caller, begin = Clock::now()](const grpc::Status& status) {
      Demand(status, "a call");
      const double took = MillisSince(begin);
      {
        const std::lock_guard lock(mutex_);
        millis_.push_back(took);
        if (millis_.size() == static_cast<size_t>(count_)) return done_.notify_one();
      }
      Next(caller);
    });
  }

  const Begin begin_;
  const int count_;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts_;
  std::mutex mutex_;
  std::condition_variable done_;
  int begun_ = 0;
  std::vector<double> millis_;
};

Channels ConnectAll(int connections) {
  Channels channels;
  for (int i = 0; i < connections; ++i) {
    channels.push_back(Connect());
    if (!channels.back()->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30))) std::exit(1);
  }
  return channels;
}

void Remove(const Channels& channels, const std::vector<std::string>& ids) {
  v1::JobScheduleService::Stub stub(channels[0]);
  const auto id = [&](int index) { return ids[static_cast<size_t>(index)]; };
  const auto count = static_cast<int>(ids.size());
  std::vector<v1::CancelRequest> cancels(kRemovers);
  v1::CancelResponse cancelled[kRemovers];
  Callers(kRemovers, count, [&](int index, int caller, grpc::ClientContext* context, OnAnswer answered) {
    auto& request = cancels[static_cast<size_t>(caller)];
    request.mutable_jobs()->set_correlation_id(id(index));
    stub.async()->Cancel(context, &request, &cancelled[caller], std::move(answered));
  }).Run();
  std::vector<v1::RemoveBatchRequest> removes(kRemovers);
  v1::RemoveBatchResponse removed[kRemovers];
  Callers(kRemovers, count, [&](int index, int caller, grpc::ClientContext* context, OnAnswer answered) {
    auto& request = removes[static_cast<size_t>(caller)];
    request.set_correlation_id(id(index));
    stub.async()->RemoveBatch(context, &request, &removed[caller], std::move(answered));
  }).Run();
}

int Calls(bool jobs, int callers, int connections, int count) {
  const Channels channels = ConnectAll(connections);
  std::vector<std::unique_ptr<v1::JobScheduleService::Stub>> schedule;
  std::vector<std::unique_ptr<v1::AuthService::Stub>> auth;
  for (const auto& channel : channels) {
    schedule.push_back(v1::JobScheduleService::NewStub(channel));
    auth.push_back(v1::AuthService::NewStub(channel));
  }
  v1::ExecuteJobRequest job;
  job.mutable_job()->add_argv("true");
  const v1::WhoAmIRequest nothing;
  std::vector<v1::ExecuteJobResponse> accepted(static_cast<size_t>(count));
  std::vector<v1::WhoAmIResponse> answers(static_cast<size_t>(count));
  const auto begin = Clock::now();
  auto millis = Callers(callers, count, [&](int index, int caller, grpc::ClientContext* context, OnAnswer answered) {
                  const auto i = static_cast<size_t>(index);
                  const auto connection = static_cast<size_t>(caller % connections);
                  if (jobs) {
                    schedule[connection]->async()->ExecuteJob(context, &job, &accepted[i], std::move(answered));
                  } else {
                    auth[connection]->async()->WhoAmI(context, &nothing, &answers[i], std::move(answered));
                  }
                }).Run();
  const double rate = count / MillisSince(begin) * 1e3;
  std::printf("%.0f %.3f %.3f\n", rate, Quantile(millis, 0.5), Quantile(millis, 0.99));
  if (!jobs) return 0;
  std::vector<std::string> ids;
  for (const auto& response : accepted) ids.push_back(response.correlation_id());
  Remove(channels, ids);
  return 0;
}

int Batch(int jobs) {
  const Channels channels = ConnectAll(1);
  v1::JobScheduleService::Stub stub(channels[0]);
  const auto begin = Clock::now();
  grpc::ClientContext context;
  v1::SubmitBatchResponse response;
  const auto writer = stub.SubmitBatch(&context, &response);
  for (int sent = 0; sent < jobs;) {
    v1::SubmitBatchRequest message;
    if (sent == 0) message.mutable_options()->set_name("bench");
    for (int i = 0; i < kJobsPerMessage && sent < jobs; ++i, ++sent) message.add_jobs()->add_argv("true");
    writer->Write(message);
  }
  writer->WritesDone();
  Demand(writer->Finish(), "SubmitBatch");
  std::printf("%.1f\n", MillisSince(begin));
  Remove(channels, {response.correlation_id()});
  return 0;
}

}  // namespace

int Main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() == 2 && args[0] == "batch") return Batch(std::stoi(args[1]));
  if (args.size() == 4) return Calls(args[0] == "job", std::stoi(args[1]), std::stoi(args[2]), std::stoi(args[3]));
  std::fprintf(stderr, "usage: bench_submit job|unary CALLERS CONNECTIONS COUNT | batch JOBS\n");
  return 2;
}

}  // namespace jobd::bench

int main(int argc, char** argv) { return jobd::bench::Main(argc, argv); }
