#include "server/grpc/message_bytes.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/slice.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace jobd::server {
namespace {

using google::protobuf::Message;

// Smaller texts cost less to copy than to keep track of.
constexpr int kWorthASlice = 4096;
// Smaller messages are written in one piece.
constexpr size_t kLargeMessage = 16384;
constexpr size_t kBlock = 4096;

// A slice of what `owner` keeps alive.
template <typename Owner>
grpc::Slice SliceOf(Owner owner, const void* data, size_t size) {
  auto* const kept = new Owner(std::move(owner));
  return {const_cast<void*>(data), size, [](void* object) { delete static_cast<Owner*>(object); }, kept};
}

// Takes the wire format: copies small pieces one behind another, and refers to large texts of `message`.
class SliceStream final : public google::protobuf::io::ZeroCopyOutputStream {
 public:
  explicit SliceStream(std::shared_ptr<const Message> message) : message_(std::move(message)) {}

  bool Next(void** data, int* size) override {
    const size_t old = text_.size();
    text_.resize(old + kBlock);
    *data = text_.data() + old;
    *size = static_cast<int>(kBlock);
    count_ += static_cast<int64_t>(kBlock);
    return true;
  }
  void BackUp(int count) override {
    text_.resize(text_.size() - static_cast<size_t>(count));
    count_ -= count;
  }
  int64_t ByteCount() const override { return count_; }
  bool AllowsAliasing() const override { return true; }
  bool WriteAliasedRaw(const void* data, int size) override {
    count_ += size;
    if (size < kWorthASlice) {
      text_.append(static_cast<const char*>(data), static_cast<size_t>(size));
    } else {
      Flush();
      slices_.push_back(SliceOf(message_, data, static_cast<size_t>(size)));
    }
    return true;
  }

  grpc::ByteBuffer Take() {
    Flush();
    return {slices_.data(), slices_.size()};
  }

 private:
  void Flush() {
    if (text_.empty()) return;
    if (text_.size() < kBlock) {
      slices_.emplace_back(text_);
    } else {
      auto text = std::make_shared<const std::string>(std::move(text_));
      const void* const data = text->data();
      const size_t size = text->size();
      slices_.push_back(SliceOf(std::move(text), data, size));
    }
    text_.clear();
  }

  const std::shared_ptr<const Message> message_;
  std::string text_;  // what comes behind the slices
  std::vector<grpc::Slice> slices_;
  int64_t count_ = 0;
};

}  // namespace

bool FromBytes(grpc::ByteBuffer& bytes, Message& message) {
  return bytes.Valid() && grpc::SerializationTraits<Message>::Deserialize(&bytes, &message).ok();
}

uint64_t DecodedBytes(grpc::ByteBuffer& bytes, const MessageShape& shape, uint64_t most) {
  if (!bytes.Valid()) return 0;
  grpc::ProtoBufferReader reader(&bytes);
  return reader.status().ok() ? shape.DecodedBytes(reader, most) : 0;
}

grpc::ByteBuffer ToBytes(Message& message) {
  if (message.ByteSizeLong() < kLargeMessage) {
    grpc::ByteBuffer bytes;
    bool own_buffer = false;
    (void)grpc::SerializationTraits<Message>::Serialize(message, &bytes, &own_buffer);
    return bytes;
  }
  const std::shared_ptr<Message> kept(message.New());
  message.GetReflection()->Swap(&message, kept.get());
  (void)kept->ByteSizeLong();  // the sizes are remembered by the object
  SliceStream stream(kept);
  {
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.EnableAliasing(true);
    kept->SerializeWithCachedSizes(&coded);
  }
  return stream.Take();
}

}  // namespace jobd::server
