// Which of a job's attempts a reader is given.
#include <gtest/gtest.h>

#include "tests/unit/worker/logs/log_fixture.h"

namespace jobd::worker {
namespace {

// Two jobs: the first has three attempts, of which the second printed nothing; the other has one.
class AttemptsTest : public LogSessionTest {
 protected:
  void SetUp() override {
    LogSessionTest::SetUp();
    ASSERT_TRUE(Submit("b", Jobs(2)).ok());
    const auto first = launcher_->WaitLaunched(1).key;
    const auto other = launcher_->WaitLaunched(2).key;
    ASSERT_EQ(first.index, 1u);
    Output(1).Write(Stream::kOut, "one\n", kT);
    Output(1).Write(Stream::kErr, "one err\n", kT + 1);
    Output(2).Write(Stream::kOut, "other\n", kT + 2);
    launcher_->Exit(first, ExitStatus::Exited(1));
    launcher_->Exit(other, ExitStatus::Exited(0));
    UntilEnded("b");
    Again(ExitStatus::Exited(1), "");
    Again(ExitStatus::Exited(1), "three\n");
  }
  void Again(ExitStatus exit, const std::string& output) {
    ASSERT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}, .index = 1}, false, done); }), 1u);
    const auto key = launcher_->WaitLaunched(++launched_).key;
    // At once: the records of attempts need not lie apart.
    if (!output.empty()) Output(1).Write(Stream::kOut, output, kT + 3);
    launcher_->Exit(key, exit);
    UntilEnded("b");
  }
  size_t launched_ = 2;
};

TEST_F(AttemptsTest, FaultC7OneAttemptAlone) {
  EXPECT_EQ(Text({.index = 1, .attempt = 1}), "one\none err\n");
  EXPECT_EQ(Text({.index = 1, .attempt = 2}), "");
  EXPECT_EQ(Text({.index = 1, .attempt = 3}), "three\n");
  EXPECT_EQ(Text({.index = 1, .stream = Stream::kErr, .attempt = 1}), "one err\n");
  EXPECT_EQ(CodeOf({.index = 1, .attempt = 4}), base::Code::kInvalidArgument) << "there was none";
  EXPECT_EQ(CodeOf({.index = 2, .attempt = 2}), base::Code::kInvalidArgument);
  EXPECT_EQ(Text({.attempt = 1}), "one\none err\nother\n");
  EXPECT_EQ(Text({.attempt = 3}), "three\n") << "of the jobs that had so many";
}

TEST_F(AttemptsTest, FaultC7TheLastAttempt) {
  EXPECT_EQ(Text({.index = 1, .attempt = LogQuery::kLastAttempt}), "three\n");
  EXPECT_EQ(Text({.index = 2, .attempt = LogQuery::kLastAttempt}), "other\n");
  EXPECT_EQ(Text({.attempt = LogQuery::kLastAttempt}), "other\nthree\n");
  Again(ExitStatus::Exited(0), "");
  EXPECT_EQ(Text({.attempt = LogQuery::kLastAttempt}), "other\n") << "the last one printed nothing";
}

TEST_F(AttemptsTest, FaultC7AllAttemptsAndWhichIsWhich) {
  const auto chunks = ReadAll({.index = 1});
  ASSERT_EQ(chunks->size(), 3u);
  EXPECT_EQ(chunks->at(0).attempt, 1u);
  EXPECT_EQ(chunks->at(1).attempt, 1u);
  EXPECT_EQ(chunks->at(2).attempt, 3u);
  EXPECT_EQ(chunks->at(2).offset, 4u) << "offsets count all of them";
  Again(ExitStatus::Exited(1), "four\n");
  const auto merged = ReadAll({});
  ASSERT_EQ(merged->size(), 5u) << "records that lie together are not joined over the end of an attempt";
  EXPECT_EQ(merged->at(3).attempt, 3u);
  EXPECT_EQ(merged->at(4).attempt, 4u);
}

TEST_F(AttemptsTest, FaultC7LinesAndTimesBeginWithinTheAttempt) {
  EXPECT_EQ(Text({.index = 1, .tail_lines = 5, .attempt = LogQuery::kLastAttempt}), "three\n");
  EXPECT_EQ(Text({.index = 1, .tail_lines = 1, .attempt = 1}), "one err\n");
  EXPECT_EQ(Text({.tail_lines = 2, .attempt = LogQuery::kLastAttempt}), "other\nthree\n") << "what is left out does not count";
  EXPECT_EQ(Text({.tail_lines = 2, .attempt = 1}), "one err\nother\n");
  EXPECT_EQ(Text({.index = 1, .since = kT, .attempt = LogQuery::kLastAttempt}), "three\n");
  EXPECT_EQ(Text({.index = 1, .since = kT + 1, .attempt = 1}), "one err\n");
}

TEST_F(AttemptsTest, ACursorGoesOnInTheAttemptsItWasAskedFor) {
  for (const auto attempt : {LogQuery::kLastAttempt, 1u, LogQuery::kAllAttempts}) {
    std::string whole = Text({.attempt = attempt});
    std::string cut;
    std::optional<std::string> cursor;
    for (bool finished = false; !finished;) {
      auto session = worker_->OpenLogs({.batch = {"ann", "b"}, .cursor = cursor, .attempt = attempt});
      ASSERT_TRUE(session.ok()) << session.error().message();
      const auto page = (*session)->Read(1);
      for (const auto& chunk : page->chunks) cut += chunk.data;
      cursor = page->cursor;
      finished = page->finished;
    }
    EXPECT_EQ(cut, whole);
  }
}

TEST_F(AttemptsTest, AFollowOfTheLastAttemptGoesOnWithTheNextOne) {
  ASSERT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}, .index = 1}, false, done); }), 1u);
  const auto key = launcher_->WaitLaunched(launched_ + 1).key;
  auto one = worker_->OpenLogs({.batch = {"ann", "b"}, .index = 1, .follow = true, .attempt = LogQuery::kLastAttempt});
  auto third = worker_->OpenLogs({.batch = {"ann", "b"}, .index = 1, .follow = true, .attempt = 3});
  Output(1).Write(Stream::kOut, "four\n", kT + 4);
  launcher_->Exit(key, ExitStatus::Exited(0));
  UntilEnded("b");
  auto page = (*one)->Read(1000);
  ASSERT_EQ(page->chunks.size(), 1u);
  EXPECT_EQ(page->chunks[0].data, "four\n");
  EXPECT_EQ(page->chunks[0].attempt, 4u);
  ASSERT_EQ(page->ends.size(), 1u);
  page = (*third)->Read(1000);
  ASSERT_EQ(page->chunks.size(), 1u);
  EXPECT_EQ(page->chunks[0].data, "three\n");
  EXPECT_TRUE(page->finished);
  EXPECT_TRUE(page->ends.empty()) << "how it ended is not known any more";
}

}  // namespace
}  // namespace jobd::worker
