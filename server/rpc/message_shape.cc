#include "server/rpc/message_shape.h"

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/message.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>

namespace jobd::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MessageFactory;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// What malloc adds to each piece.
constexpr uint64_t kPiece = 16;
// An array of pointers or numbers that has just grown.
constexpr uint64_t kPlace = 2 * sizeof(void*);
constexpr uint64_t kText = sizeof(std::string) + kPiece;
// UnknownField, in an array that has just grown.
constexpr uint64_t kUnknownField = 32;
// A node of a map and its place in the table, beside key and value.
constexpr uint64_t kMapNode = 128;
// Fields above are taken for unknown, which costs less memory than most that are known; ours are far below.
constexpr int kMaxNumber = 512;
// The parser goes no deeper.
constexpr int kMaxDepth = 100;

class Counter {
 public:
  Counter(CodedInputStream& in, uint64_t most) : in_(in), most_(most) {}
  // Up to the end of what the stream is limited to. False: the bytes are no message from here on, or it is more than the most.
  bool Count(const MessageShape& shape, int depth) {
    total_ += shape.object_bytes;
    int groups = 0;  // open; within them all is unknown
    for (;;) {
      if (total_ > most_) return false;
      const uint32_t tag = in_.ReadTagNoLastTag();
      if (tag == 0) return groups == 0 && in_.BytesUntilLimit() <= 0;
      const auto number = static_cast<size_t>(WireFormatLite::GetTagFieldNumber(tag));
      const bool known = groups == 0 && number < shape.fields.size();
      const MessageShape::Field field = known ? shape.fields[number] : MessageShape::Field();
      switch (WireFormatLite::GetTagWireType(tag)) {
        case WireFormatLite::WIRETYPE_VARINT: {
          uint64_t ignored = 0;
          if (!in_.ReadVarint64(&ignored)) return false;
          AddNumber(field);
          break;
        }
        case WireFormatLite::WIRETYPE_FIXED64:
          if (!in_.Skip(8)) return false;
          AddNumber(field);
          break;
        case WireFormatLite::WIRETYPE_FIXED32:
          if (!in_.Skip(4)) return false;
          AddNumber(field);
          break;
        case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
          if (!CountDelimited(field, depth)) return false;
          break;
        case WireFormatLite::WIRETYPE_START_GROUP:
          if (++groups > kMaxDepth) return false;
          total_ += kUnknownField + kPiece + sizeof(void*) * 3;
          break;
        case WireFormatLite::WIRETYPE_END_GROUP:
          if (--groups < 0) return false;
          break;
        default: return false;
      }
    }
  }
  uint64_t total() const { return total_; }

 private:
  void AddNumber(const MessageShape::Field& field) {
    if (field.kind != MessageShape::Field::Kind::kNumber) {
      total_ += kUnknownField;
    } else if (field.repeated) {
      total_ += kPlace;
    }
  }

  bool CountDelimited(const MessageShape::Field& field, int depth) {
    int length = 0;
    if (!in_.ReadVarintSizeAsInt(&length)) return false;
    switch (field.kind) {
      case MessageShape::Field::Kind::kMessage: {
        total_ += kPiece + (field.repeated ? kPlace : 0);
        if (depth + 1 > kMaxDepth) return false;
        const auto limit = in_.PushLimit(length);
        const bool whole = Count(*field.message, depth + 1);
        in_.PopLimit(limit);
        return whole;
      }
      case MessageShape::Field::Kind::kNumber:
        // Packed: at most as many numbers as bytes.
        total_ += static_cast<uint64_t>(length) * kPlace;
        break;
      case MessageShape::Field::Kind::kText:
        total_ += kText + kPiece + static_cast<uint64_t>(length) + (field.repeated ? kPlace : 0);
        break;
      case MessageShape::Field::Kind::kUnknown: total_ += kUnknownField + kText + kPiece + static_cast<uint64_t>(length); break;
    }
    return in_.Skip(length);
  }

  CodedInputStream& in_;
  const uint64_t most_;
  uint64_t total_ = 0;
};

MessageShape::Field::Kind KindOf(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE: return MessageShape::Field::Kind::kMessage;
    case FieldDescriptor::CPPTYPE_STRING: return MessageShape::Field::Kind::kText;
    default: return MessageShape::Field::Kind::kNumber;
  }
}

}  // namespace

uint64_t MessageShape::DecodedBytes(google::protobuf::io::ZeroCopyInputStream& bytes, uint64_t most) const {
  CodedInputStream in(&bytes);
  Counter counter(in, most);
  counter.Count(*this, 0);
  return counter.total();
}

const MessageShape& MessageShapes::Of(const Descriptor& type) {
  auto& shape = by_type_[&type];
  if (shape) return *shape;
  shape = std::make_unique<MessageShape>();
  MessageShape& made = *shape;  // its own fields may be of its own type
  if (type.options().map_entry()) {
    made.object_bytes = kMapNode;
  } else {
    made.object_bytes = static_cast<uint64_t>(MessageFactory::generated_factory()->GetPrototype(&type)->SpaceUsedLong());
  }
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.number() > kMaxNumber) continue;
    const auto number = static_cast<size_t>(field.number());
    if (made.fields.size() <= number) made.fields.resize(number + 1);
    made.fields[number] = {.kind = KindOf(field), .repeated = field.is_repeated()};
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) made.fields[number].message = &Of(*field.message_type());
  }
  return made;
}

}  // namespace jobd::server
