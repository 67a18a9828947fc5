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

using Stub = v1::JobScheduleService::Stub;
constexpr int kJobsPerMessage = 1000;

void Remove(Stub& stub, const std::string& id) {
  v1::CancelRequest cancel;
  cancel.mutable_jobs()->set_correlation_id(id);
  grpc::ClientContext context;
  v1::CancelResponse unused;
  Demand(stub.Cancel(&context, cancel, &unused), "Cancel");
  v1::RemoveBatchRequest remove;
  remove.set_correlation_id(id);
  grpc::ClientContext remove_context;
  v1::RemoveBatchResponse unused_too;
  Demand(stub.RemoveBatch(&remove_context, remove, &unused_too), "RemoveBatch");
}

void AddTrue(v1::JobSpec* job) { job->add_argv("true"); }

// The state of all callers, behind one lock that is held for moments.
struct Tally {
  explicit Tally(int count) : left(count), unanswered(count) {}
  std::mutex mutex;
  std::condition_variable done;
  int left;        // to be begun
  int unanswered;  // begun or not
  std::vector<double> millis;
  std::vector<std::string> ids;
};

// One caller: the answer of a call begins the next, on gRPC's thread.
class Caller {
 public:
  Caller(bool jobs, const std::shared_ptr<grpc::Channel>& channel, Tally& tally)
      : jobs_(jobs), schedule_(channel), auth_(channel), tally_(tally) {
    AddTrue(request_.mutable_job());
  }

  void Next() {
    {
      const std::lock_guard lock(tally_.mutex);
      if (tally_.left == 0) return;
      --tally_.left;
    }
    context_ = std::make_unique<grpc::ClientContext>();
    begin_ = Clock::now();
    const auto answered = [this](const grpc::Status& status) { OnAnswer(status); };
    if (jobs_) {
      schedule_.async()->ExecuteJob(context_.get(), &request_, &accepted_, answered);
    } else {
      auth_.async()->WhoAmI(context_.get(), &nothing_, &somebody_, answered);
    }
  }

 private:
  void OnAnswer(const grpc::Status& status) {
    Demand(status, jobs_ ? "ExecuteJob" : "WhoAmI");
    const double took = MillisSince(begin_);
    {
      const std::lock_guard lock(tally_.mutex);
      tally_.millis.push_back(took);
      if (jobs_) tally_.ids.push_back(accepted_.correlation_id());
      if (--tally_.unanswered == 0) {
        tally_.done.notify_one();
        return;
      }
    }
    Next();
  }

  const bool jobs_;
  Stub schedule_;
  v1::AuthService::Stub auth_;
  Tally& tally_;
  v1::ExecuteJobRequest request_;
  v1::ExecuteJobResponse accepted_;
  v1::WhoAmIRequest nothing_;
  v1::WhoAmIResponse somebody_;
  std::unique_ptr<grpc::ClientContext> context_;
  Clock::time_point begin_;
};

int Calls(bool jobs, int callers, int connections, int count) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < connections; ++i) {
    channels.push_back(Connect());
    if (!channels.back()->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30))) return 1;
  }
  Tally tally(count);
  std::vector<std::unique_ptr<Caller>> all;
  for (int i = 0; i < callers; ++i) {
    all.push_back(std::make_unique<Caller>(jobs, channels[static_cast<size_t>(i % connections)], tally));
  }
  const auto begin = Clock::now();
  for (const auto& caller : all) caller->Next();
  std::unique_lock lock(tally.mutex);
  tally.done.wait(lock, [&] { return tally.unanswered == 0; });
  const double rate = count / MillisSince(begin) * 1e3;
  std::printf("%.0f %.3f %.3f\n", rate, Quantile(tally.millis, 0.5), Quantile(tally.millis, 0.99));
  std::fflush(stdout);
  Stub stub(channels[0]);
  for (const std::string& id : tally.ids) Remove(stub, id);
  return 0;
}

int Batch(int jobs) {
  const auto channel = Connect();
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30))) return 1;
  Stub stub(channel);
  const auto begin = Clock::now();
  grpc::ClientContext context;
  v1::SubmitBatchResponse response;
  const auto writer = stub.SubmitBatch(&context, &response);
  for (int sent = 0; sent < jobs;) {
    v1::SubmitBatchRequest message;
    if (sent == 0) message.mutable_options()->set_name("bench");
    for (int i = 0; i < kJobsPerMessage && sent < jobs; ++i, ++sent) AddTrue(message.add_jobs());
    writer->Write(message);
  }
  writer->WritesDone();
  Demand(writer->Finish(), "SubmitBatch");
  std::printf("%.1f\n", MillisSince(begin));
  std::fflush(stdout);
  Remove(stub, response.correlation_id());
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
