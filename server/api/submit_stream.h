// SubmitBatch: gathers a batch, and submits it when it is whole.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "server/api/api.h"

namespace jobd::server {

inline constexpr uint64_t kMaxBatchBytes = 256ull << 20;   // of one submission, as received
inline constexpr uint64_t kMaxUploadBytes = 512ull << 20;  // of all that are being received

// Nothing reaches the worker before the client has ended its stream, and then only if it may still submit. A client that stops
// sending for a minute is told DEADLINE_EXCEEDED. `response` lives as long as the call.
//
// Messages are parsed here, not by gRPC: for it one that does not parse is the end of the stream, and what came before it would be
// taken for the whole batch.
grpc::ServerReadReactor<grpc::ByteBuffer>* StartSubmitStream(const Backend& backend, grpc::CallbackServerContext* context,
                                                             grpc::ByteBuffer* response);

}  // namespace jobd::server
