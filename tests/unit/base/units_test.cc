#include "base/units.h"

#include <gtest/gtest.h>

namespace jobd::base {
namespace {

TEST(ParseSize, RefusesWhatIsNoSize) {
  for (const char* text : {"", "x", "-1", "1X", "1KM", "1 M", "M", "1e30", "99999999999T", "0x10", "1..2", "nan", "inf"}) {
    EXPECT_FALSE(ParseSize(text).ok()) << text;
  }
}

TEST(ParseSize, ReadsWhatUsersWrite) {
  EXPECT_EQ(ParseSize("0").value(), 0u);
  EXPECT_EQ(ParseSize("4096").value(), 4096u);
  EXPECT_EQ(ParseSize("512M").value(), 512u << 20);
  EXPECT_EQ(ParseSize("1.5GiB").value(), 3u << 29);
  EXPECT_EQ(ParseSize("10kb").value(), 10240u);
  EXPECT_EQ(ParseSize("7b").value(), 7u);
}

TEST(ParseDuration, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "s", "-1s", "1x", "1 h ", "101y", "1e400", "99999999999999h"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(ParseDuration, ReadsWhatUsersWrite) {
  EXPECT_EQ(ParseDuration("90").value(), 90 * kNanosPerSecond);
  EXPECT_EQ(ParseDuration("250ms").value(), 250 * kNanosPerMilli);
  EXPECT_EQ(ParseDuration("1h30m").value(), 5400 * kNanosPerSecond);
  EXPECT_EQ(ParseDuration("1.5h").value(), 5400 * kNanosPerSecond);
  EXPECT_EQ(ParseDuration("7d").value(), 7 * 86400 * kNanosPerSecond);
}

TEST(FormatDuration, IsReadAgainAsTheSame) {
  for (const char* text : {"250ms", "2.5s", "10m", "1h30m", "7d", "1d2h3m", "59m59s"}) {
    EXPECT_EQ(FormatDuration(ParseDuration(text).value()), text);
  }
}

TEST(ParseCpus, KeepsToItsRange) {
  for (const char* text : {"", "0", "-1", "1.5x", "5000", "nan"}) EXPECT_FALSE(ParseCpus(text).ok()) << text;
  EXPECT_EQ(ParseCpus("1.5").value(), 1500u);
  EXPECT_EQ(ParseCpus("4").value(), 4000u);
}

}  // namespace
}  // namespace jobd::base
