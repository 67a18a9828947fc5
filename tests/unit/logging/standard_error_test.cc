// A pipe that nobody reads holds nobody up.
#include "logging/standard_error.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "logging/logging.h"

namespace jobd::logging {
namespace {

struct Ends {
  base::Fd reader;
  base::Fd writer;
};
Ends Pipe() {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  return {base::Fd(ends[0]), base::Fd(ends[1])};
}
Ends Sockets() {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {base::Fd(ends[0]), base::Fd(ends[1])};
}
// Reads what is there, without waiting for more.
std::string Drain(const base::Fd& reader) {
  ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  std::string all;
  char bytes[4096];
  for (ssize_t n = 0; (n = ::read(reader.get(), bytes, sizeof bytes)) > 0;) all.append(bytes, static_cast<size_t>(n));
  return all;
}

class StandardErrorTest : public testing::TestWithParam<Ends (*)()> {};
INSTANTIATE_TEST_SUITE_P(Kinds, StandardErrorTest, testing::Values(&Pipe, &Sockets));

TEST_P(StandardErrorTest, FaultG10WhatIsNotReadIsNotTaken) {
  const Ends ends = GetParam()();
  StandardError error(ends.writer.get());
  const std::string line = std::string(999, 'x') + "\n";
  size_t taken = 0;
  while (taken < 100'000 && error.Put(line)) ++taken;
  EXPECT_LT(taken, 100'000u) << "it is full at some time";
  EXPECT_GT(taken, 10u);
  EXPECT_EQ(::fcntl(ends.writer.get(), F_GETFL) & O_NONBLOCK, 0) << "others have it, too";
  EXPECT_GE(Drain(ends.reader).size(), taken * line.size() - line.size());
  EXPECT_TRUE(error.Put("again\n"));
  const std::string behind = Drain(ends.reader);
  EXPECT_TRUE(behind == "again\n" || behind == "\nagain\n") << behind;
}

// The log of a daemon, with standard error as somebody gave it to it.
TEST(StandardErrorLogTest, FaultG10LinesThatAreLostAreCounted) {
  const Ends ends = Pipe();
  const base::Fd before(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  ASSERT_EQ(::dup2(ends.writer.get(), STDERR_FILENO), STDERR_FILENO);
  {
    const auto log = Create({.program = "test"});
    for (int i = 0; i < 2000; ++i) (*log)->info("line {} {}", i, std::string(200, 'x'));
    const std::string first = Drain(ends.reader);
    EXPECT_NE(first.find("line 0 "), std::string::npos);
    EXPECT_EQ(first.find("line 1999 "), std::string::npos);
    (*log)->info("behind");
    const std::string behind = Drain(ends.reader);
    EXPECT_NE(behind.find(" lines of the log were lost here: nobody read standard error"), std::string::npos) << behind;
    EXPECT_NE(behind.find("behind"), std::string::npos) << behind;
  }
  ::dup2(before.get(), STDERR_FILENO);
}

}  // namespace
}  // namespace jobd::logging
