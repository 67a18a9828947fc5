// Messages as they go over the wire: what a client parses is what was made, and large texts are not copied.
#include "server/grpc/message_bytes.h"

#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include "jobd/v1/job_query_service.pb.h"
#include "server/api/convert.h"

namespace jobd::server {
namespace {

using jobd::v1::StreamLogsResponse;

StreamLogsResponse MessageOf(worker::LogPage page) {
  StreamLogsResponse message;
  SetLogPage(std::move(page), &message);
  return message;
}

StreamLogsResponse ThereAndBack(worker::LogPage page) {
  StreamLogsResponse message = MessageOf(std::move(page));
  grpc::ByteBuffer bytes = ToBytes(message);
  StreamLogsResponse parsed;
  EXPECT_TRUE(FromBytes(bytes, parsed));
  return parsed;
}

TEST(MessageBytes, AnEmptyPageHasItsCursor) {
  const auto message = ThereAndBack({.cursor = "here", .finished = true});
  EXPECT_EQ(message.cursor(), "here");
  EXPECT_EQ(message.chunks_size(), 0);
  EXPECT_EQ(message.ends_size(), 0);
}

// Around the sizes at which lengths take one more byte, and at which data is no longer copied.
TEST(MessageBytes, ChunksOfAnySizeComeWholeAndInOrder) {
  worker::LogPage page{.cursor = "behind"};
  const size_t sizes[] = {0, 1, 100, 127, 128, 4080, 4095, 4096, 4097, 8191, 8192, 16383, 16384, 262144, 5, 2097152, 3};
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
  const auto message = ThereAndBack(std::move(page));
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

TEST(MessageBytes, EndsComeBehindTheChunks) {
  worker::LogPage page{.cursor = "end"};
  page.chunks.push_back({.index = 2, .data = "last"});
  page.ends.push_back({.index = 2, .attempt = 3, .outcome = {.state = worker::JobState::kSucceeded}, .dropped_bytes = 9});
  const auto message = ThereAndBack(std::move(page));
  ASSERT_EQ(message.ends_size(), 1);
  EXPECT_EQ(message.ends(0).index(), 2u);
  EXPECT_EQ(message.ends(0).attempt(), 3u);
  EXPECT_EQ(message.ends(0).result().state(), jobd::v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(message.ends(0).dropped_bytes(), 9u);
  EXPECT_EQ(message.chunks(0).data(), "last");
}

// From the page that was read to what gRPC sends, the bytes stay where they are.
TEST(MessageBytes, LargeDataIsNeverCopied) {
  worker::LogPage page{.cursor = "end"};
  page.chunks.push_back({.index = 1, .data = std::string(262144, 'x')});
  const char* const data = page.chunks.front().data.data();
  StreamLogsResponse message = MessageOf(std::move(page));
  const grpc::ByteBuffer bytes = ToBytes(message);
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(bytes.Dump(&slices).ok());
  bool found = false;
  for (const grpc::Slice& slice : slices) found |= reinterpret_cast<const char*>(slice.begin()) == data && slice.size() == 262144;
  EXPECT_TRUE(found);
  EXPECT_LE(slices.size(), 3u);
}

TEST(MessageBytes, ManySmallTextsAreOneSlice) {
  jobd::v1::WatchBatchResponse message;
  for (int i = 0; i < 1000; ++i) message.add_jobs()->add_argv("an argument of a job, number " + std::to_string(i));
  const std::string expected = message.SerializeAsString();
  ASSERT_GT(expected.size(), 16384u);
  grpc::ByteBuffer bytes = ToBytes(message);
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(bytes.Dump(&slices).ok());
  ASSERT_EQ(slices.size(), 1u);
  EXPECT_TRUE(std::string(reinterpret_cast<const char*>(slices[0].begin()), slices[0].size()) == expected);
}

TEST(MessageBytes, NoBytesAreNoMessage) {
  grpc::ByteBuffer none;
  StreamLogsResponse message;
  EXPECT_FALSE(FromBytes(none, message));
  const grpc::Slice empty;
  grpc::ByteBuffer nothing(&empty, 1);
  EXPECT_TRUE(FromBytes(nothing, message)) << "an empty message has no bytes";
}

}  // namespace
}  // namespace jobd::server
