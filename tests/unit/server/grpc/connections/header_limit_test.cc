// Blocks of headers that have no end, or come to too much.
#include "server/grpc/connections/header_limit.h"

#include <gtest/gtest.h>

#include <string>

namespace jobd::server {
namespace {

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string Frame(char type, size_t length) {
  std::string frame;
  for (const size_t shift : {16u, 8u, 0u}) frame.push_back(static_cast<char>(length >> shift));
  frame.push_back(type);
  return frame + std::string(5, '\0') + std::string(length, '\x09');
}

TEST(HeaderLimit, WhatIsNoBlockOfHeadersMayGoOn) {
  HeaderLimit limit;
  ASSERT_TRUE(limit.Take(kPreface));
  for (int i = 0; i < 1000; ++i) {
    for (const char type : {'\x00', '\x02', '\x03', '\x04', '\x06', '\x08', '\x70'}) ASSERT_TRUE(limit.Take(Frame(type, 16384)));
  }
}

TEST(HeaderLimit, ManyBlocksOfWhatIsAllowed) {
  HeaderLimit limit;
  ASSERT_TRUE(limit.Take(kPreface));
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(limit.Take(Frame(1, 16384) + Frame(9, 16000) + Frame(9, 100) + Frame(0, 5)));
  }
}

TEST(HeaderLimit, FaultD2ContinuationsWithoutEnd) {
  HeaderLimit limit;
  ASSERT_TRUE(limit.Take(kPreface + Frame(1, 10)));
  int frames = 0;
  while (frames < 1000 && limit.Take(Frame(9, 4096))) ++frames;
  EXPECT_EQ(frames, 7);
}

TEST(HeaderLimit, FaultD2EmptyContinuationsWithoutEnd) {
  HeaderLimit limit;
  ASSERT_TRUE(limit.Take(kPreface + Frame(1, 0)));
  int frames = 0;
  while (frames < 1000 && limit.Take(Frame(9, 0))) ++frames;
  EXPECT_EQ(frames, static_cast<int>(HeaderLimit::kMaxFrames) - 1);
}

TEST(HeaderLimit, OneFrameThatIsTooLong) {
  HeaderLimit limit;
  EXPECT_FALSE(limit.Take(kPreface + Frame(1, HeaderLimit::kMaxBlock + 1)));
}

TEST(HeaderLimit, BytesComeInAnyPieces) {
  std::string all = kPreface;
  for (int i = 0; i < 20; ++i) all += Frame(1, 30) + Frame(9, 1000) + Frame(0, 700);
  const std::string good = all;
  all += Frame(1, 1) + Frame(9, HeaderLimit::kMaxBlock);  // known for too long by its header
  for (const size_t piece : {1u, 2u, 7u, 9u, 10u, 4096u}) {
    HeaderLimit limit;
    size_t at = 0;
    while (at < all.size() && limit.Take(std::string_view(all).substr(at, piece))) at += piece;
    EXPECT_GE(at + piece, good.size()) << piece;
    EXPECT_LT(at, good.size() + 40) << piece;
  }
}

TEST(MetadataLimit, EachBlockMayComeToAsMuch) {
  MetadataLimit limit;
  EXPECT_EQ(limit.Begin(true, 0), kMaxMetadata);
  EXPECT_EQ(limit.Begin(true, kMaxMetadata), kMaxMetadata) << "the block before is over";
  EXPECT_EQ(limit.Begin(true, UINT32_MAX), kMaxMetadata);
}

TEST(MetadataLimit, FaultD2ABlockInManyFramesComesToNoMoreThanOneInOne) {
  MetadataLimit limit;
  EXPECT_EQ(limit.Begin(false, 7), kMaxMetadata);
  EXPECT_EQ(limit.Begin(false, 1000), kMaxMetadata - 1000);
  EXPECT_EQ(limit.Begin(false, 0), kMaxMetadata - 1000) << "an empty frame";
  EXPECT_EQ(limit.Begin(false, kMaxMetadata - 1001), 1u);
  EXPECT_EQ(limit.Begin(false, 2), 0u);
  EXPECT_EQ(limit.Begin(true, 0), 0u) << "to its last frame";
  EXPECT_EQ(limit.Begin(false, 0), kMaxMetadata) << "and not beyond";
}

}  // namespace
}  // namespace jobd::server
