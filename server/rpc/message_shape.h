// What a message takes in memory, told from its bytes before it is made of them: two bytes on the wire may be an object of
// hundreds.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace jobd::server {

// The fields of a message type, laid out for counting. Immutable once it is made.
struct MessageShape {
  struct Field {
    enum class Kind : uint8_t { kUnknown, kNumber, kText, kMessage };
    Kind kind = Kind::kUnknown;
    bool repeated = false;
    const MessageShape* message = nullptr;  // of kMessage
  };
  uint64_t object_bytes = 0;
  std::vector<Field> fields;  // by number

  // At least what parsing `bytes` as this message takes: objects, texts, arrays that have grown to twice what is in them, and
  // fields that are not known, which are kept. Counts up to where the bytes stop to be a message, as a parser reads; and no further
  // than `most`: what comes out may be more than that by one field. Allocates nothing.
  uint64_t DecodedBytes(google::protobuf::io::ZeroCopyInputStream& bytes, uint64_t most) const;
};

// The shapes of message types, each made once. Not thread-safe; shapes keep their addresses.
class MessageShapes {
 public:
  // `type` is one of the generated types.
  const MessageShape& Of(const google::protobuf::Descriptor& type);

 private:
  std::map<const google::protobuf::Descriptor*, std::unique_ptr<MessageShape>> by_type_;
};

}  // namespace jobd::server
