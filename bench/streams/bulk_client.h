// Readers of log streams that do nothing with them, the same for jobd and for the bare server.
#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <string>

#include "jobd/v1/job_query_service.pb.h"

namespace jobd::bench {

// A connection of its own to an address, with the operator's certificate.
std::shared_ptr<grpc::Channel> ConnectTo(const std::string& certs, const std::string& address);

struct Bulk {
  uint64_t bytes = 0;  // of messages
  uint64_t messages = 0;
  double seconds = 0;  // from the call to its end; the connection is there before
  double rate() const { return static_cast<double>(bytes) / seconds; }
};

// Reads a stream to its end without looking into the messages. Ends the program when the call fails.
Bulk ReadAll(const std::shared_ptr<grpc::Channel>& channel, const v1::StreamLogsRequest& request);
// `count` of them at once, each on a connection of its own: the sum of bytes and messages, from the first to the last.
Bulk ReadAtOnce(const std::string& certs, const std::string& address, const v1::StreamLogsRequest& request, size_t count);

}  // namespace jobd::bench
