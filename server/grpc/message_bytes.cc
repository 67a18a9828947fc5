#include "server/grpc/message_bytes.h"

#include <google/protobuf/io/coded_stream.h>

#include <string>
#include <utility>
#include <vector>

#include "jobd/v1/job_query_service.pb.h"
#include "server/api/convert_reply.h"

namespace jobd::server {
namespace {

using google::protobuf::io::CodedOutputStream;

// Smaller pieces cost less to copy than to keep track of.
constexpr size_t kWorthASlice = 4096;

// Of a field whose value comes with its length: wire type 2.
constexpr char Tag(int field) { return static_cast<char>(field << 3 | 2); }

void AppendLength(size_t length, std::string& out) {
  uint8_t bytes[10];
  const uint8_t* const end = CodedOutputStream::WriteVarint64ToArray(length, bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes));
}

grpc::Slice Keep(std::string text) {
  auto* const owned = new std::string(std::move(text));
  return {owned->data(), owned->size(), [](void* string) { delete static_cast<std::string*>(string); }, owned};
}

class Writer {
 public:
  void Add(worker::LogChunk chunk) {
    jobd::v1::LogChunk head;
    head.set_index(chunk.index);
    head.set_stream(chunk.stream == launch::Stream::kOut ? jobd::v1::LOG_STREAM_STDOUT : jobd::v1::LOG_STREAM_STDERR);
    head.set_offset(chunk.offset);
    SetTime(chunk.time, head.mutable_time());
    head.set_dropped(chunk.dropped);
    std::string entry = head.SerializeAsString();
    if (!chunk.data.empty()) {
      entry += Tag(jobd::v1::LogChunk::kDataFieldNumber);
      AppendLength(chunk.data.size(), entry);
    }
    text_ += Tag(jobd::v1::StreamLogsResponse::kChunksFieldNumber);
    AppendLength(entry.size() + chunk.data.size(), text_);
    text_ += entry;
    if (chunk.data.size() < kWorthASlice) {
      text_ += chunk.data;
    } else {
      Flush();
      slices_.push_back(Keep(std::move(chunk.data)));
    }
  }

  // All but the chunks.
  void Add(const jobd::v1::StreamLogsResponse& rest) { rest.AppendToString(&text_); }

  grpc::ByteBuffer Take() {
    Flush();
    return {slices_.data(), slices_.size()};
  }

 private:
  void Flush() {
    if (!text_.empty()) slices_.emplace_back(std::exchange(text_, {}));
  }

  std::string text_;  // behind the slices
  std::vector<grpc::Slice> slices_;
};

}  // namespace

grpc::ByteBuffer LogMessage(worker::LogPage page) {
  Writer writer;
  for (worker::LogChunk& chunk : page.chunks) writer.Add(std::move(chunk));
  jobd::v1::StreamLogsResponse rest;
  for (const worker::LogEnd& end : page.ends) {
    auto* entry = rest.add_ends();
    entry->set_index(end.index);
    entry->set_attempt(end.attempt);
    SetResult(end.outcome, entry->mutable_result());
    entry->set_dropped_bytes(end.dropped_bytes);
  }
  rest.set_cursor(std::move(page.cursor));
  writer.Add(rest);
  return writer.Take();
}

}  // namespace jobd::server
