// A follower that takes the time when a line with a time in it arrives.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "jobd/v1/job_query_service.grpc.pb.h"

namespace jobd::bench {

// Follows from its making on; on gRPC's threads. Cancelled when destroyed.
class LineFollower final : public grpc::ClientReadReactor<v1::StreamLogsResponse> {
 public:
  LineFollower(const std::shared_ptr<grpc::Channel>& channel, const v1::StreamLogsRequest& request, size_t lines);
  ~LineFollower() override;
  LineFollower(const LineFollower&) = delete;
  LineFollower& operator=(const LineFollower&) = delete;

  // Until the first line is here: from then on, nothing is between the writer and this follower but the way.
  void WaitForFirst();
  void WaitForEnd();
  // Seconds from the writing of each line to its arrival; after the end.
  const std::vector<double>& delays() const { return delays_; }

 private:
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  void Take(const std::string& text, double now);

  std::unique_ptr<v1::JobQueryService::Stub> stub_;
  grpc::ClientContext context_;
  const v1::StreamLogsRequest request_;
  v1::StreamLogsResponse response_;
  std::string partial_;
  std::vector<double> delays_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool first_ = false;
  bool done_ = false;
};

}  // namespace jobd::bench
