// Between messages and the bytes that gRPC sends and receives.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>

#include "server/rpc/message_shape.h"

namespace jobd::server {

// False when the bytes are no such message, or when there are none at all.
bool FromBytes(grpc::ByteBuffer& bytes, google::protobuf::Message& message);

// What the bytes will take in memory as a message of this shape; see MessageShape::DecodedBytes.
uint64_t DecodedBytes(grpc::ByteBuffer& bytes, const MessageShape& shape, uint64_t most);

// The message in its wire format. The larger texts of a large message stay where they are and go along as slices, because copying
// them into one more buffer costs about as much as encrypting them does. So `message` may be emptied: it lives on in the bytes.
grpc::ByteBuffer ToBytes(google::protobuf::Message& message);

}  // namespace jobd::server
