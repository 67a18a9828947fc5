#include "cli/view/log_printer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "base/fd.h"
#include "base/files.h"
#include "cli/view/terminal_filter.h"

namespace jobd::cli {
namespace {

using Stream = LogPrinter::Stream;

// A pipe whose writing end is an OutputStream.
struct Sink {
  Sink() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reading.reset(ends[0]);
    writing.reset(ends[1]);
    stream.emplace(writing.get());
  }
  std::string Take() {
    writing.reset();
    return base::ReadAll(reading.get(), 1 << 20).value();
  }
  base::Fd reading;
  base::Fd writing;
  std::optional<OutputStream> stream;
};

TEST(LogPrinterTest, APipeGetsExactBytesPerStream) {
  Sink out;
  Sink err;
  LogPrinter printer({}, *out.stream, *err.stream);
  printer.Print(1, Stream::kStdout, 0, "\033[31m\xff\r\n");
  printer.Print(1, Stream::kStderr, 0, "e");
  printer.Print(1, Stream::kStdout, 0, std::string_view("\0no newline", 11));
  printer.FinishAll();
  EXPECT_EQ(out.Take(), std::string("\033[31m\xff\r\n\0no newline", 19));
  EXPECT_EQ(err.Take(), "e");
}

TEST(LogPrinterTest, PrefixedLinesNeverMix) {
  Sink out;
  LogPrinter printer({.prefix = true}, *out.stream, *out.stream);
  printer.Print(1, Stream::kStdout, 0, "one ");
  printer.Print(2, Stream::kStdout, 0, "two\nthr");
  printer.Print(1, Stream::kStderr, 0, "err\n");
  printer.Print(1, Stream::kStdout, 0, "line\n\n");
  printer.Finish(2);
  EXPECT_EQ(out.Take(), "2| two\n1| err\n1| one line\n1| \n2| thr\n");
}

TEST(LogPrinterTest, AnEndlessLineIsWrittenInPieces) {
  Sink out;
  ASSERT_GT(::fcntl(out.writing.get(), F_SETPIPE_SZ, 1 << 20), 0);
  LogPrinter printer({.prefix = true}, *out.stream, *out.stream);
  const std::string piece(300'000, 'x');
  for (int i = 0; i < 3; ++i) printer.Print(1, Stream::kStdout, 0, piece);
  printer.Finish(1);
  EXPECT_EQ(out.Take(), "1| " + piece + piece + piece + "\n");
}

TEST(LogPrinterTest, AFullDiskIsToldOnceAndForAll) {
  const base::Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  OutputStream stream(full.get());
  LogPrinter printer({}, stream, stream);
  EXPECT_FALSE(printer.Print(1, Stream::kStdout, 0, "x"));
  EXPECT_FALSE(stream.ok());
  EXPECT_FALSE(stream.broken_pipe());
  EXPECT_EQ(stream.status().error().message(), "writing to standard output: No space left on device");
}

class LogPrinterTerminalTest : public testing::Test {
 protected:
  LogPrinterTerminalTest() {
    int master = -1;
    int slave = -1;
    EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
    master_.reset(master);
    slave_.reset(slave);
    termios mode{};
    EXPECT_EQ(::tcgetattr(slave, &mode), 0);
    ::cfmakeraw(&mode);
    EXPECT_EQ(::tcsetattr(slave, TCSANOW, &mode), 0);
  }
  // What came out, once it is as long as `expected` should be: a terminal hands it over in pieces.
  std::string Read(std::string_view expected) const {
    std::string text;
    while (text.size() < expected.size()) {
      std::array<char, 4096> buffer{};
      const ssize_t n = ::read(master_.get(), buffer.data(), buffer.size());
      if (n <= 0) break;
      text.append(buffer.data(), static_cast<size_t>(n));
    }
    return text;
  }
  base::Fd master_;
  base::Fd slave_;
};

TEST_F(LogPrinterTerminalTest, EscapesAreShownInsteadOfObeyed) {
  OutputStream stream(slave_.get());
  ASSERT_TRUE(stream.is_terminal());
  LogPrinter printer({}, stream, stream);
  printer.Print(1, Stream::kStdout, 0, "\033]0;title\007ok\r\n");
  constexpr std::string_view kShown = "\\x1b]0;title\\x07ok\r\n";
  EXPECT_EQ(Read(kShown), kShown);
}

TEST_F(LogPrinterTerminalTest, FaultC12ColoursAndProgressBarsPass) {
  OutputStream stream(slave_.get());
  LogPrinter printer({}, stream, stream);
  printer.Print(1, Stream::kStdout, 0, "\033[1;31m50%\033[0m\r60%\b\b\033[32mgo");
  printer.FinishAll();
  constexpr std::string_view kShown = "\033[1;31m50%\033[0m\r60%\b\b\033[32mgo\033[0m";
  EXPECT_EQ(Read(kShown), kShown) << "a colour ends with the job";
}

TEST_F(LogPrinterTerminalTest, FaultC12NoJobOverwritesAPrefix) {
  OutputStream stream(slave_.get());
  LogPrinter printer({.prefix = true}, stream, stream);
  printer.Print(1, Stream::kStdout, 0, "\033[31mred\r2| x\b\r\nnext\r\n");
  constexpr std::string_view kShown = "1| 2| x\\x08\n1| next\n";
  EXPECT_EQ(Read(kShown), kShown);
}

TEST_F(LogPrinterTerminalTest, RawIsRaw) {
  OutputStream stream(slave_.get());
  LogPrinter printer({.raw = true}, stream, stream);
  printer.Print(1, Stream::kStdout, 0, "\033[1m");
  constexpr std::string_view kShown = "\033[1m";
  EXPECT_EQ(Read(kShown), kShown);
}

TEST(TerminalFilterTest, CharactersAndSequencesMayComeInPieces) {
  TerminalFilter filter;
  EXPECT_EQ(filter.Feed("a\xe6\x97"), "a");
  EXPECT_EQ(filter.Feed("\xa5"
                        "b\r"),
            "日b\r");
  EXPECT_EQ(filter.Feed("\nc\033"), "\nc");
  EXPECT_EQ(filter.Feed("[3"), "");
  EXPECT_EQ(filter.Feed("1md\xf0\x9f"), "\033[31md");
  EXPECT_EQ(filter.Finish(), "\\xf0\\x9f\033[0m");
  EXPECT_EQ(filter.Finish(), "");
}

TEST(TerminalFilterTest, FaultC12NothingButSgrPasses) {
  const auto shown = [](const std::string& text) {
    TerminalFilter filter;
    const std::string fed = filter.Feed(text);
    return fed + filter.Finish();
  };
  for (const std::string good : {"\033[m", "\033[0m", "\033[1;31mx\033[m", "\033[38;2;255;100;0mx\033[0m", "\033[4:3mx\033[0m"}) {
    EXPECT_EQ(shown(good), good);
  }
  // Cursor, screen, title, device control, private modes, 8-bit CSI, hidden intermediates, endless parameters, and what is cut off.
  const std::string many(1000, '1');
  for (const std::string bad : {"\033[2J", "\033[1A", "\033]0;t\007", "\033P1$r0m\033\\", "\033[?25l", "\033[>4;2m", "\033[1 m",
                                "\033c", "\033[31", "\033[", "\033",
                                "\x9b"
                                "31m",
                                "\xc2\x9b"
                                "31m"}) {
    EXPECT_EQ(shown(bad).find('\033'), std::string::npos) << testing::PrintToString(bad);
    EXPECT_EQ(shown(bad).find('\x9b'), std::string::npos) << testing::PrintToString(bad);
  }
  EXPECT_EQ(shown("\033[" + many + "m"), "\\x1b[" + many + "m");
}

TEST(TerminalFilterTest, AnyCutGivesTheSame) {
  for (const std::string& text :
       {std::string("x\r\n\033[0m日\xff\xe6 \xf0\x9f\x98\x80\r\r\n\tend\xc3"),
        std::string("\033[1;3\033[31mred\033[2J\033]0;\033[0\b") + "\033[" + std::string(70, '1') + "m\033["}) {
    TerminalFilter whole;
    std::string expected = whole.Feed(text);
    expected += whole.Finish();
    for (size_t cut = 0; cut <= text.size(); ++cut) {
      TerminalFilter filter;
      std::string shown = filter.Feed(text.substr(0, cut));
      shown += filter.Feed(text.substr(cut));
      shown += filter.Finish();
      EXPECT_EQ(shown, expected) << cut;
    }
  }
}

}  // namespace
}  // namespace jobd::cli
