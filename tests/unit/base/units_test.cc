#include "base/units.h"

#include <gtest/gtest.h>

#include "base/bounds.h"

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

TEST(FormatDuration, IsShort) {
  for (const char* text : {"250ms", "2.5s", "10m", "1h30m", "7d", "1d2h3m", "59m59s"}) {
    EXPECT_EQ(FormatDuration(ParseDuration(text).value()), text);
  }
  EXPECT_EQ(FormatDuration(3630 * kNanosPerSecond), "1h");
}

TEST(ExactDuration, FaultC20IsReadAgainAsTheSame) {
  EXPECT_EQ(ExactDuration(3630 * kNanosPerSecond), "1h30s");
  EXPECT_EQ(ExactDuration(90'500 * kNanosPerMilli), "1m30.5s");
  EXPECT_EQ(ExactDuration(0), "0s");
  for (const char* text :
       {"1ms", "0.000001ms", "250ms", "0.05ms", "1s", "1.000000001s", "2.05s", "10m", "1h30m", "7d", "1d2h3m4.5s"}) {
    EXPECT_EQ(ExactDuration(ParseDuration(text).value()), text);
  }
  // Doubling reaches every magnitude, and the sums have no zeros in any place.
  for (Nanos nanos = 1; nanos < kMaxDuration / 2; nanos = nanos * 2 + 1) {
    EXPECT_EQ(ParseDuration(ExactDuration(nanos)).value(), nanos) << ExactDuration(nanos);
  }
  EXPECT_EQ(ParseDuration(ExactDuration(kMaxDuration)).value(), kMaxDuration);
  EXPECT_FALSE(ParseDuration(ExactDuration(kMaxDuration) + "1ns").ok());
}

TEST(ParseCpus, KeepsToItsRange) {
  for (const char* text : {"", "0", "-1", "1.5x", "5000", "nan"}) EXPECT_FALSE(ParseCpus(text).ok()) << text;
  EXPECT_EQ(ParseCpus("1.5").value(), 1500u);
  EXPECT_EQ(ParseCpus("4").value(), 4000u);
}

}  // namespace
}  // namespace jobd::base
