// StreamLogsResponse, written without a copy of what it carries.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include "worker/logs/log_session.h"

namespace jobd::server {

// The message in its wire format. Larger pieces of data stay where they were read to and go along as slices: a message object would
// have them copied into one more buffer, which costs about as much as encrypting them does.
grpc::ByteBuffer LogMessage(worker::LogPage page);

}  // namespace jobd::server
