#include "base/text.h"

#include <gtest/gtest.h>

#include "base/errno_text.h"
#include "base/exit_status.h"

namespace jobd::base {
namespace {

using namespace std::string_literals;

TEST(EscapeForTerminal, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(EscapeForTerminal("plain äöü €"), "plain äöü €");
  EXPECT_EQ(EscapeForTerminal("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
  EXPECT_EQ(EscapeForTerminal("a\nb\tc"), "a\\x0ab\\x09c");
  EXPECT_EQ(EscapeForTerminal("a\nb\tc\r", true), "a\nb\tc\\x0d");
  EXPECT_EQ(EscapeForTerminal("\xc2\x9b"), "\\x9b") << "C1 controls are escape sequences of one character";
  EXPECT_EQ(EscapeForTerminal("\xff\x80"), "\\xff\\x80");
  EXPECT_EQ(EscapeForTerminal("a\u202egpj"), "a\\u{202e}gpj");
  EXPECT_EQ(EscapeForTerminal("\0"s), "\\x00");
}

TEST(IsValidUtf8, RefusesOverlongSurrogatesAndTruncation) {
  EXPECT_TRUE(IsValidUtf8("aé€😀"));
  for (const std::string& bad :
       {"\xc0\xaf"s, "\xed\xa0\x80"s, "\xf4\x90\x80\x80"s, "\xe2\x82"s, "\x80"s, "\xf8\x88\x80\x80\x80"s}) {
    EXPECT_FALSE(IsValidUtf8(bad)) << EscapeForTerminal(bad);
  }
}

TEST(IsSafeName, RefusesWhatCouldBeAPath) {
  for (const std::string& bad :
       {""s, "."s, ".."s, "../x"s, "a/b"s, "-a"s, ".a"s, "a b"s, "a\n"s, "a\0b"s, "ä"s, "a%2fb"s, std::string(129, 'a')}) {
    EXPECT_FALSE(IsSafeName(bad)) << EscapeForTerminal(bad);
  }
  for (const std::string& good : {"a"s, "_x"s, "0190-1.b:c"s, std::string(128, 'a')}) EXPECT_TRUE(IsSafeName(good)) << good;
}

TEST(SignalNumber, KnowsNamesAndNumbers) {
  EXPECT_EQ(SignalNumber("TERM"), 15);
  EXPECT_EQ(SignalNumber("sigkill"), 9);
  EXPECT_EQ(SignalNumber("2"), 2);
  for (const char* bad : {"", "0", "65", "-1", "NOPE", "15x"}) EXPECT_EQ(SignalNumber(bad), 0) << bad;
}

TEST(ExitStatus, ShowsWhatAShellWould) {
  EXPECT_EQ(ExitStatus::Exited(3).ShellCode(), 3);
  EXPECT_EQ(ExitStatus::Signaled(9).ShellCode(), 137);
  EXPECT_EQ(ExitStatus::Signaled(9).ToString(), "SIGKILL");
  EXPECT_FALSE(ExitStatus::Signaled(0).success());
}

}  // namespace
}  // namespace jobd::base
