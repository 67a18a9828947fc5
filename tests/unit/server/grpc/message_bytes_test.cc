// A page of a log as it goes over the wire: what a client parses is what was read.
#include "server/grpc/message_bytes.h"

#include <gtest/gtest.h>

#include <grpcpp/impl/codegen/proto_utils.h>

#include "jobd/v1/job_query_service.pb.h"

namespace jobd::server {
namespace {

jobd::v1::StreamLogsResponse Parse(grpc::ByteBuffer bytes) {
  jobd::v1::StreamLogsResponse message;
  EXPECT_TRUE(grpc::SerializationTraits<jobd::v1::StreamLogsResponse>::Deserialize(&bytes, &message).ok());
  return message;
}

TEST(LogMessage, AnEmptyPageHasItsCursor) {
  const auto message = Parse(LogMessage({.cursor = "here", .finished = true}));
  EXPECT_EQ(message.cursor(), "here");
  EXPECT_EQ(message.chunks_size(), 0);
  EXPECT_EQ(message.ends_size(), 0);
}

// Around the sizes at which lengths take one more byte, and at which data is no longer copied.
TEST(LogMessage, ChunksOfAnySizeComeWholeAndInOrder) {
  worker::LogPage page{.cursor = "behind"};
  const size_t sizes[] = {0, 1, 100, 127, 128, 4095, 4096, 16383, 16384, 262144, 5, 2097152, 3};
  uint64_t offset = 0;
  for (const size_t size : sizes) {
    const auto fill = static_cast<char>('a' + page.chunks.size());
    page.chunks.push_back({.index = 300,
                           .stream = size % 2 == 0 ? launch::Stream::kErr : launch::Stream::kOut,
                           .offset = offset,
                           .time = 1'700'000'000'123'456'789,
                           .data = std::string(size, fill),
                           .dropped = size == 100 ? 7u : 0u});
    offset += size;
  }
  const worker::LogPage expected = page;
  const auto message = Parse(LogMessage(std::move(page)));
  ASSERT_EQ(message.chunks_size(), static_cast<int>(expected.chunks.size()));
  for (int i = 0; i < message.chunks_size(); ++i) {
    const worker::LogChunk& one = expected.chunks[static_cast<size_t>(i)];
    const jobd::v1::LogChunk& chunk = message.chunks(i);
    EXPECT_EQ(chunk.index(), 300u);
    EXPECT_EQ(chunk.stream(), one.stream == launch::Stream::kOut ? jobd::v1::LOG_STREAM_STDOUT : jobd::v1::LOG_STREAM_STDERR);
    EXPECT_EQ(chunk.offset(), one.offset);
    EXPECT_EQ(chunk.time().seconds(), 1'700'000'000);
    EXPECT_EQ(chunk.time().nanos(), 123'456'789);
    EXPECT_EQ(chunk.dropped(), one.dropped);
    EXPECT_TRUE(chunk.data() == one.data) << one.data.size();
  }
  EXPECT_EQ(message.cursor(), "behind");
}

TEST(LogMessage, EndsComeBehindTheChunks) {
  worker::LogPage page{.cursor = "end"};
  page.chunks.push_back({.index = 2, .data = "last"});
  page.ends.push_back({.index = 2, .attempt = 3, .outcome = {.state = worker::JobState::kSucceeded}, .dropped_bytes = 9});
  const auto message = Parse(LogMessage(std::move(page)));
  ASSERT_EQ(message.ends_size(), 1);
  EXPECT_EQ(message.ends(0).index(), 2u);
  EXPECT_EQ(message.ends(0).attempt(), 3u);
  EXPECT_EQ(message.ends(0).result().state(), jobd::v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(message.ends(0).dropped_bytes(), 9u);
  EXPECT_EQ(message.chunks(0).data(), "last");
}

}  // namespace
}  // namespace jobd::server
