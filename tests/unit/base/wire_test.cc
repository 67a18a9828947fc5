#include "base/wire.h"

#include <gtest/gtest.h>

#include <limits>

namespace jobd::base {
namespace {

constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();

TEST(WireTest, WhatIsMalformedReadsAsNothing) {
  const std::string_view malformed[] = {"", "\x80", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02",
                                        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"};
  for (const std::string_view bytes : malformed) {
    WireReader in(bytes);
    EXPECT_EQ(in.Number(), 0u);
    EXPECT_FALSE(in.ok());
  }
  WireReader long_text(
      std::string_view("\x03"
                       "ab"));
  EXPECT_EQ(long_text.Text(), "");
  EXPECT_FALSE(long_text.ok());
  WireReader long_text32(std::string_view("\x03\0\0\0ab", 6));
  EXPECT_EQ(long_text32.Text32(), "");
  EXPECT_FALSE(long_text32.ok());
  WireReader count(std::string_view("\x02x"));
  EXPECT_EQ(count.Count(), 0u);
  WireReader count32(std::string_view("\x02\0\0\0xyz", 7));
  EXPECT_EQ(count32.Count32(2), 0u);
  WireReader flag(std::string_view("\x02"));
  flag.Flag();
  EXPECT_FALSE(flag.ok());
}

TEST(WireTest, NothingIsReadAfterAFailure) {
  WireReader in(std::string_view("\x02\x01\x01\x01", 4));
  EXPECT_FALSE(in.Flag());
  EXPECT_EQ(in.Number(), 0u);
  EXPECT_EQ(in.Fixed<uint8_t>(), 0u);
  EXPECT_EQ(in.Text(), "");
  EXPECT_FALSE(in.AtEnd());
}

// The bytes are on disks and between daemons of different versions: they may never change.
TEST(WireTest, BytesAreFixed) {
  WireWriter out(std::string("head"));
  out.Number(0);
  out.Number(127);
  out.Number(128);
  out.Number(kMost);
  out.Text("ab");
  out.Fixed<uint16_t>(0x1234);
  out.Fixed<int64_t>(-2);
  out.Flag(true);
  out.Text32("c");
  const std::string expected(
      "head"
      "\0"
      "\x7f"
      "\x80\x01"
      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
      "\x02"
      "ab"
      "\x34\x12"
      "\xfe\xff\xff\xff\xff\xff\xff\xff"
      "\x01"
      "\x01\0\0\0"
      "c",
      4 + 1 + 1 + 2 + 10 + 3 + 2 + 8 + 1 + 5);
  EXPECT_EQ(out.bytes(), expected);
}

TEST(WireTest, WhatWasWrittenIsRead) {
  WireWriter out;
  out.Number(kMost);
  out.Text(std::string("a\0b", 3));
  out.Fixed<int32_t>(-5);
  out.Flag(false);
  out.Text32("");
  out.Fixed<uint32_t>(3);
  out.Fixed<uint8_t>(1);
  out.Fixed<uint8_t>(2);
  out.Fixed<uint8_t>(3);
  const std::string bytes = out.Take();
  WireReader in(std::as_bytes(std::span(bytes)));
  EXPECT_EQ(in.Number(), kMost);
  EXPECT_EQ(in.Text(), std::string("a\0b", 3));
  EXPECT_EQ(in.Fixed<int32_t>(), -5);
  EXPECT_FALSE(in.Flag());
  EXPECT_EQ(in.Text32(), "");
  EXPECT_EQ(in.Count32(1), 3u);
  EXPECT_FALSE(in.AtEnd());
  EXPECT_EQ(in.Fixed<uint8_t>() + in.Fixed<uint8_t>() + in.Fixed<uint8_t>(), 6);
  EXPECT_TRUE(in.AtEnd());
}

}  // namespace
}  // namespace jobd::base
