// Times, tables, suggestions: text for people and programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "cli/view/progress.h"
#include "cli/view/suggest.h"
#include "cli/view/table.h"
#include "cli/view/time_text.h"
#include "cli/view/wrap.h"

namespace jobd::cli {
namespace {

constexpr int64_t kSecond = base::kNanosPerSecond;

TEST(TimeTextTest, RefusesWhatIsNoTime) {
  for (const char* text : {"", "soon", "2026-13-01", "2026-02-31", "2026-01-02T25:00:00Z", "2026-01-02T10:00:00+99:00",
                           "2026-01-02x", "@", "@-1", "@1x", "12:", "12:60", "9999-01-01T00:00:00Z"}) {
    EXPECT_FALSE(ParseTime(text, 0).ok()) << text;
  }
}

TEST(TimeTextTest, ReadsRfc3339AndHowLongAgo) {
  EXPECT_EQ(*ParseTime("1970-01-01T00:00:01.5Z", 0), kSecond + kSecond / 2);
  EXPECT_EQ(*ParseTime("2026-01-02T15:04:05Z", 0), 1767366245 * kSecond);
  EXPECT_EQ(*ParseTime("2026-01-02T16:04:05+01:00", 0), 1767366245 * kSecond);
  EXPECT_EQ(*ParseTime("@1767366245", 0), 1767366245 * kSecond);
  EXPECT_EQ(*ParseTime("10m", 1000 * kSecond), 400 * kSecond);
  EXPECT_EQ(Rfc3339(*ParseTime("2026-01-02T15:04:05.123456789Z", 0)), "2026-01-02T15:04:05.123456789Z");
  EXPECT_EQ(Rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
}

TEST(TimeTextTest, LocalTimesGoThereAndBack) {
  const int64_t time = *ParseTime("2026-01-02 15:04", 0);
  EXPECT_EQ(AbsoluteTime(time), "2026-01-02 15:04:00");
  EXPECT_EQ(AbsoluteTime(*ParseTime("11:12", time)), "2026-01-02 11:12:00");
}

TEST(TimeTextTest, FaultC11TimesAsPeopleWriteThem) {
  const int64_t now = *ParseTime("2026-11-30 12:00:00.5", 0);
  EXPECT_EQ(*ParseTime("1795993629", now), 1795993629 * kSecond) << "date +%s";
  EXPECT_EQ(*ParseTime("1795993629.25", now), 1795993629 * kSecond + kSecond / 4);
  EXPECT_EQ(*ParseTime("@1795993629.25", now), 1795993629 * kSecond + kSecond / 4);
  EXPECT_EQ(*ParseTime("90s", now), now - 90 * kSecond);
  EXPECT_EQ(*ParseTime("-1h", now), now - 3600 * kSecond);
  EXPECT_EQ(*ParseTime("now", now), now);
  EXPECT_EQ(*ParseTime("today", now), *ParseTime("2026-11-30", 0));
  EXPECT_EQ(*ParseTime("yesterday", now), *ParseTime("2026-11-29", 0));
  for (const std::string text : {"-", "--1h", "tomorrowish", "1795993629x", "1795993629.", "99999999999999999999"})
    EXPECT_FALSE(ParseTime(text, now).ok()) << text;
}

// Up to eight digits meant seconds ago, which no help said: `--since 0` showed nothing.
TEST(TimeTextTest, FaultC11ABareNumberIsSecondsSince1970WhateverItsSize) {
  const int64_t now = 1795993629 * kSecond;
  EXPECT_EQ(*ParseTime("0", now), 0);
  EXPECT_EQ(*ParseTime("1", now), kSecond);
  EXPECT_EQ(*ParseTime("60", now), 60 * kSecond);
  EXPECT_EQ(*ParseTime("0.5", now), kSecond / 2);
  EXPECT_EQ(*ParseTime("99999999", now), 99999999 * kSecond);
  EXPECT_EQ(*ParseTime("60s", now), now - 60 * kSecond);
  for (const char* text : {".", "1.", "1..2", ".5"}) EXPECT_FALSE(ParseTime(text, now).ok()) << text;
}

TEST(TimeTextTest, FaultC11TimestampsHaveFractionAndZone) {
  const std::string text = Rfc3339Local(1795993629 * kSecond + 123456789);
  EXPECT_EQ(text.size(), std::string("2026-11-29T15:07:09.123456+00:00").size()) << text;
  EXPECT_EQ(*ParseTime(text, 0), 1795993629 * kSecond + 123456000) << text;
}

TEST(TimeTextTest, Relative) {
  EXPECT_EQ(RelativeTime(INT64_MIN, INT64_MAX).substr(0, 3), "106") << "a hostile server's clock";

  EXPECT_EQ(RelativeTime(0, 0), "just now");
  EXPECT_EQ(RelativeTime(10 * kSecond, 0), "just now") << "another machine's clock";
  EXPECT_EQ(RelativeTime(0, 90 * kSecond), "90s ago");
  EXPECT_EQ(RelativeTime(0, 600 * kSecond), "10m ago");
  EXPECT_EQ(RelativeTime(0, 10 * 3600 * kSecond), "10h ago");
  EXPECT_EQ(RelativeTime(0, int64_t{10} * 86400 * kSecond), "10d ago");
}

TEST(TableTest, HostileTextIsShownNotObeyed) {
  Table table({"A", "B"});
  table.Add({{"x\033[2J\n"}, {"\xff"}});
  EXPECT_EQ(table.ToString(false, 0), "A             B\nx\\x1b[2J\\x0a  \\xff\n");
}

TEST(TableTest, AlignsAndLeavesNothingAtTheEnd) {
  Table table({"ID", "N", "NAME"});
  table.Add({{"a"}, {"5", Color::kNone, true}, {""}});
  table.Add({{"bbb"}, {"12", Color::kNone, true}, {"日本"}});
  EXPECT_EQ(table.ToString(false, 0), "ID    N  NAME\na     5\nbbb  12  日本\n");
}

TEST(TableTest, CutsTheWidestColumnButNeverTheId) {
  Table table({"ID", "COMMAND"});
  table.Add({{"0123456789012345678901234567"}, {std::string(100, 'x')}});
  const std::string text = table.ToString(false, 50);
  EXPECT_THAT(text, testing::HasSubstr("0123456789012345678901234567  " + std::string(19, 'x') + "…\n"));
}

// The widest was cut to the least before another gave anything.
TEST(TableTest, FaultC2WideColumnsShareWhatThereIs) {
  Table table({"N", "REASON", "NAME", "COMMAND"});
  table.Add({{"1"}, {std::string(60, 'r')}, {std::string(20, 'n')}, {std::string(40, 'c')}});
  const std::string even = table.ToString(false, 52);
  EXPECT_THAT(even, testing::HasSubstr("  " + std::string(14, 'r') + "…  " + std::string(14, 'n') + "…  " + std::string(14, 'c')));
  table.Favour(1);
  const std::string favoured = table.ToString(false, 59);
  EXPECT_THAT(favoured, testing::HasSubstr("  " + std::string(25, 'r') + "…  " + std::string(12, 'n') + "…  " +
                                           std::string(12, 'c') + "…\n"));
}

TEST(TableTest, FaultC2NoLineIsWiderThanTheTerminal) {
  Table table({"JOB", "STATE", "REASON", "STARTED", "TOOK", "NAME", "COMMAND"});
  table.Add({{"12345", Color::kNone, true},
             {"OOM_KILLED"},
             {std::string(60, 'r')},
             {"12m ago"},
             {"1m30s", Color::kNone, true},
             {std::string(20, 'n')},
             {std::string(40, 'c')}});
  for (size_t width = 10; width < 200; ++width) {
    const std::string text = table.ToString(false, width);
    for (size_t begin = 0; begin < text.size(); begin = text.find('\n', begin) + 1) {
      const std::string line = text.substr(begin, text.find('\n', begin) - begin);
      EXPECT_LE(DisplayWidth(line), width) << line;
    }
    EXPECT_THAT(text, testing::HasSubstr("12345")) << "the first is never cut";
  }
  EXPECT_THAT(table.ToString(false, 50), testing::HasSubstr("STATE")) << "the last columns go first";
}

TEST(TableTest, WidthsAreColumns) {
  EXPECT_EQ(DisplayWidth("abc"), 3u);
  EXPECT_EQ(DisplayWidth("日本"), 4u);
  EXPECT_EQ(DisplayWidth("e\xcc\x81"), 1u);
  EXPECT_EQ(Ellipsize("abcdef", 4), "abc…");
  EXPECT_EQ(Ellipsize("日本語", 4), "日…");
}

TEST(SuggestTest, OnlySlips) {
  const std::vector<std::string> names{"env", "env_file", "timeout", "shell"};
  EXPECT_EQ(DidYouMean("evn", names), " (did you mean 'env'?)");
  EXPECT_EQ(DidYouMean("time_out", names), " (did you mean 'timeout'?)");
  EXPECT_EQ(DidYouMean("banana", names), "");
  EXPECT_EQ(DidYouMean("time", {"name", "timeout", "timeout_all"}), " (did you mean 'timeout'?)") << "a beginning before a slip";
  EXPECT_EQ(DidYouMean("--mem", {"--name", "--memory"}), " (did you mean '--memory'?)");
  EXPECT_EQ(DidYouMean("--", {"--name"}), "");
  EXPECT_EQ(DidYouMean("---", {"--name"}), "");
  EXPECT_EQ(DidYouMean(std::string(100'000, 'x'), names), "");
}

TEST(ProgressTest, RateAndTimeLeft) {
  EXPECT_EQ(ProgressText({10, 0, 2, 0}, 0, 0), "0/10 done, 2 running");
  EXPECT_EQ(ProgressText({100, 50, 8, 2}, 50, 10 * kSecond), "50/100 done, 8 running, 2 failed, 5.0/s, 11s left");
  EXPECT_EQ(ProgressText({100, 100, 0, 0}, 100, 10 * kSecond), "100/100 done, 0 running, 10/s");
}

TEST(ProgressTest, FaultC1SaysWhatItWaitsForWhileNothingRuns) {
  EXPECT_EQ(ProgressText({1, 0, 0, 0}, 0, 0, "all 2 slots are taken"), "0/1 done, 0 running, waits: all 2 slots are taken");
  EXPECT_EQ(ProgressText({3, 1, 0, 1}, 1, 9 * kSecond, "held by operator"),
            "1/3 done, 0 running, 1 failed, waits: held by operator");
  EXPECT_EQ(ProgressText({3, 1, 1, 0}, 0, 0, "all 2 slots are taken"), "1/3 done, 1 running") << "it runs by now";
  EXPECT_EQ(ProgressText({3, 3, 0, 0}, 0, 0, "all 2 slots are taken"), "3/3 done, 0 running");
}

TEST(WrapTest, ACommandIsNotBroken) {
  EXPECT_EQ(Wrapped("of 3 jobs 2 succeeded: jobctl status 01a22cc8-e6dd-70c3", 40),
            "of 3 jobs 2 succeeded:\njobctl status 01a22cc8-e6dd-70c3");
  EXPECT_EQ(Wrapped("goes on: jobctl wait 01a22cc8, or jobctl logs -f 01a22cc8", 32),
            "goes on: jobctl wait 01a22cc8,\nor jobctl logs -f 01a22cc8");
  EXPECT_EQ(Wrapped("use `jobctl admin reload --force` now", 12), "use\n`jobctl admin reload --force`\nnow");
}

}  // namespace
}  // namespace jobd::cli
