// Reading output: files are written as a shim writes them.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <random>

#include "tests/support/await.h"
#include "tests/unit/worker/few_descriptors.h"
#include "tests/unit/worker/logs/log_fixture.h"

namespace jobd::worker {
namespace {

TEST_F(LogSessionTest, BadQueriesAreRefused) {
  StartThree();
  EXPECT_EQ(CodeOf({.cursor = "garbage"}), base::Code::kInvalidArgument);
  EXPECT_EQ(CodeOf({.cursor = ""}), base::Code::kInvalidArgument);
  EXPECT_EQ(CodeOf({.offset = 3}), base::Code::kInvalidArgument);
  EXPECT_EQ(CodeOf({.tail_lines = 1, .since = 1}), base::Code::kInvalidArgument);
  EXPECT_EQ(CodeOf({.index = 4}), base::Code::kNotFound);
  EXPECT_EQ(worker_->OpenLogs({.batch = {"eve", "b"}}).error().code(), base::Code::kNotFound);
  EXPECT_EQ(worker_->OpenLogs({.batch = {"ann", "../b"}}).error().code(), base::Code::kInvalidArgument);
}

TEST_F(LogSessionTest, CursorOfAnotherRequestIsRefused) {
  StartThree();
  Output(1).Write(Stream::kOut, "x", kT);
  auto session = worker_->OpenLogs({.batch = {"ann", "b"}});
  const auto page = (*session)->Read(100);
  EXPECT_EQ(Text({.cursor = page->cursor}), "");
  EXPECT_EQ(CodeOf({.index = 1, .cursor = page->cursor}), base::Code::kInvalidArgument);
}

TEST_F(LogSessionTest, JobsAreMergedInOrderOfArrival) {
  StartThree();
  Output(2).Write(Stream::kOut, "two ", kT + 1);
  Output(1).Write(Stream::kOut, "one ", kT);
  Output(3).Write(Stream::kErr, "three ", kT + 2);
  Output(1).Write(Stream::kErr, "four", kT + 3);
  EXPECT_EQ(Text({}), "one two three four");
  EXPECT_EQ(Text({.stream = Stream::kErr}), "three four");
  EXPECT_EQ(Text({.index = 1}), "one four");
  EXPECT_EQ(Text({.index = 1, .stream = Stream::kOut, .offset = 2}), "e ");
}

TEST_F(LogSessionTest, TailGivesTheLastLines) {
  StartThree();
  Output(1).Write(Stream::kOut, "a\nb\nc\n", kT);
  Output(2).Write(Stream::kOut, "d\ne", kT + 20 * kMs);
  EXPECT_EQ(Text({.tail_lines = 1}), "e");
  EXPECT_EQ(Text({.tail_lines = 3}), "c\nd\ne");
  EXPECT_EQ(Text({.tail_lines = 100}), "a\nb\nc\nd\ne");
  EXPECT_EQ(Text({.tail_lines = 0}), "");
  EXPECT_EQ(Text({.index = 1, .tail_lines = 2}), "b\nc\n");
}

TEST_F(LogSessionTest, SinceAndUntilBoundTheTime) {
  StartThree();
  for (int i = 0; i < 1000; ++i) Output(1).Write(i % 3 == 0 ? Stream::kErr : Stream::kOut, std::to_string(i) + " ", kT + i * kMs);
  EXPECT_EQ(Text({.index = 1, .since = kT + 997 * kMs}), "997 998 999 ");
  EXPECT_EQ(Text({.since = kT + 995 * kMs, .until = kT + 996 * kMs}), "995 996 ");
  EXPECT_EQ(Text({.index = 1, .stream = Stream::kOut, .offset = 0, .until = kT + 2 * kMs}), "1 2 ");
}

TEST_F(LogSessionTest, CursorsCutAnywhereReproduceTheBytes) {
  StartThree();
  std::mt19937 random(7);
  for (int i = 0; i < 600; ++i) {
    std::string data(1 + random() % 300, '\0');
    for (char& c : data) c = static_cast<char>(random());
    Output(static_cast<uint32_t>(1 + random() % 3)).Write(random() % 2 == 0 ? Stream::kOut : Stream::kErr, data, kT + i * kMs);
  }
  const auto whole = ReadAll({});
  ASSERT_TRUE(whole.ok());
  std::map<std::pair<uint32_t, Stream>, std::string> expected;
  for (const auto& chunk : *whole) expected[{chunk.index, chunk.stream}] += chunk.data;
  std::map<std::pair<uint32_t, Stream>, std::string> got;
  LogQuery query{.batch = {"ann", "b"}};
  for (int cuts = 0; cuts < 2000; ++cuts) {
    auto session = worker_->OpenLogs(query);
    ASSERT_TRUE(session.ok()) << session.error().message();
    const auto page = (*session)->Read(1 + random() % 400);
    ASSERT_TRUE(page.ok());
    for (const auto& chunk : page->chunks) {
      auto& text = got[{chunk.index, chunk.stream}];
      EXPECT_EQ(chunk.offset, text.size());
      text += chunk.data;
    }
    query.cursor = page->cursor;
    if (page->finished) break;
  }
  EXPECT_EQ(got, expected);
}

TEST_F(LogSessionTest, GapsAreToldOutOfBand) {
  StartThree();
  Output(1).Write(Stream::kOut, "before", kT);
  Output(1).Gap(Stream::kOut, 6, 1000, kT + 1);
  Output(1).Write(Stream::kOut, "after", kT + 2);
  const auto chunks = ReadAll({.index = 1});
  ASSERT_TRUE(chunks.ok());
  ASSERT_EQ(chunks->size(), 2u);
  EXPECT_EQ((*chunks)[0].data, "before");
  EXPECT_EQ((*chunks)[1].dropped, 1000u);
  EXPECT_EQ((*chunks)[1].data, "after");
}

TEST_F(LogSessionTest, FaultC11OutputThatIsGoneFromTheDiskIsToldAsAGap) {
  StartThree();
  for (const uint32_t index : {1u, 2u, 3u}) {
    Output(index).Write(Stream::kOut, "0123456789\n", kT + index);
    Output(index).Write(Stream::kErr, "err\n", kT + 10 * kMs + index);
    Output(index).Write(Stream::kOut, "more\n", kT + 20 * kMs + index);
  }
  namespace fs = std::filesystem;
  const fs::path folder = dir_ / "logs/ann/b";
  fs::remove(folder / "1.out");
  fs::resize_file(folder / "2.out", 4);
  const auto read = [this](uint32_t index) {
    const auto chunks = ReadAll({.index = index});
    EXPECT_TRUE(chunks.ok()) << chunks.error().message();
    std::pair<std::string, uint64_t> result;
    for (const LogChunk& chunk : *chunks) {
      result.first += chunk.data;
      result.second += chunk.dropped;
    }
    return result;
  };
  EXPECT_EQ(read(1), std::make_pair(std::string("err\n"), uint64_t{16}));
  EXPECT_EQ(read(2), std::make_pair(std::string("0123err\n"), uint64_t{12}));
  EXPECT_EQ(read(3), std::make_pair(std::string("0123456789\nerr\nmore\n"), uint64_t{0}));
  EXPECT_EQ(Text({.index = 1, .tail_lines = 1}), "err\n");
  EXPECT_EQ(Text({.index = 2, .tail_lines = 100}), "0123err\n");
}

TEST_F(LogSessionTest, APipeInThePlaceOfAFileHoldsNobodyUp) {
  StartThree();
  Output(1).Write(Stream::kOut, "0123456789\n", kT);
  const std::string file = dir_ / "logs/ann/b/1.out";
  std::filesystem::remove(file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  EXPECT_EQ(Text({.index = 1}), "");
}

TEST_F(LogSessionTest, FaultC11AFolderThatIsGoneIsToldAsAGap) {
  StartThree();
  Output(1).Write(Stream::kOut, "0123456789\n", kT);
  launcher_->End(keys_[0], {.cause = launch::EndCause::kSelf, .exit = ExitStatus::Exited(0), .stdout_bytes = 11});
  UntilState("b", 1, JobState::kSucceeded);
  std::filesystem::remove_all(dir_ / "logs/ann/b");
  const auto chunks = ReadAll({.index = 1});
  ASSERT_TRUE(chunks.ok());
  ASSERT_EQ(chunks->size(), 1u);
  EXPECT_EQ(chunks->front().dropped, 11u);
  EXPECT_EQ(Text({.index = 2}), "");
}

TEST_F(LogSessionTest, BytesWithoutRecordComeLastOnceTheJobIsOver) {
  StartThree();
  Output(1).Write(Stream::kOut, "indexed ", kT);
  Output(1).Append("1.out", "not indexed");
  Output(1).Append("1.idx", "torn");
  EXPECT_EQ(Text({.index = 1}), "indexed ");
  launcher_->Lose(keys_[0], ShimDied());
  UntilState("b", 1, JobState::kLost);
  EXPECT_EQ(Text({.index = 1}), "indexed not indexed");
  EXPECT_EQ(Text({}), "indexed not indexed");
}

TEST_F(LogSessionTest, FollowGivesBytesAsTheyComeAndThenTheEnds) {
  ASSERT_TRUE(Submit("b", Jobs(2), {.parallel = 1}).ok());
  auto session = worker_->OpenLogs({.batch = {"ann", "b"}, .follow = true});
  ASSERT_TRUE(session.ok());
  std::string text;
  std::vector<LogEnd> ends;
  bool finished = false;
  const auto read_until = [&](auto done) {
    while (!done()) {
      auto page = (*session)->Read(65536);
      ASSERT_TRUE(page.ok()) << page.error().message();
      for (const auto& chunk : page->chunks) text += chunk.data;
      ends.insert(ends.end(), page->ends.begin(), page->ends.end());
      finished = page->finished;
      if (!page->empty() || finished) continue;
      std::promise<void> woken;
      (*session)->Arm([&] { woken.set_value(); });
      test::WaitFor(woken.get_future());
    }
  };
  const auto one = launcher_->WaitLaunched(1).key;
  Output(1).Write(Stream::kOut, "hello ", kT);
  read_until([&] { return text == "hello "; });
  Output(1).Write(Stream::kErr, "again ", kT + 1);
  read_until([&] { return text == "hello again "; });
  launcher_->Exit(one, ExitStatus::Exited(2));
  read_until([&] { return ends.size() == 1; });
  EXPECT_EQ(ends[0].index, 1u);
  EXPECT_EQ(ends[0].outcome.exit_code, 2);
  const auto two = launcher_->WaitLaunched(2).key;
  Output(2).Write(Stream::kOut, "second", kT + 2);
  launcher_->Exit(two, ExitStatus::Exited(0));
  read_until([&] { return finished; });
  EXPECT_EQ(text, "hello again second");
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[1].outcome.state, JobState::kSucceeded);
}

TEST_F(LogSessionTest, FollowWithUntilEndsAtThatTimeThoughJobsRun) {
  StartThree();
  const base::Nanos until = clock_.Realtime() + base::kNanosPerMilli;
  auto session = worker_->OpenLogs({.batch = {"ann", "b"}, .until = until, .follow = true});
  ASSERT_TRUE(session.ok());
  Output(1).Write(Stream::kOut, "before", until);
  Output(2).Write(Stream::kOut, "after", until + 1);
  std::string text;
  bool advanced = false;
  for (bool finished = false; !finished;) {
    const auto page = (*session)->Read(65536);
    ASSERT_TRUE(page.ok());
    for (const auto& chunk : page->chunks) text += chunk.data;
    finished = page->finished;
    if (!page->empty() || finished) continue;
    if (!std::exchange(advanced, true)) clock_.Advance(base::kNanosPerSecond);  // nothing but its timer tells the session
    std::promise<void> woken;
    (*session)->Arm([&] { woken.set_value(); });
    test::WaitFor(woken.get_future());
  }
  EXPECT_TRUE(advanced);
  EXPECT_EQ(text, "before");
}

TEST_F(LogSessionTest, FollowOfAJobThatNeverStartsEndsWithIt) {
  ASSERT_TRUE(Submit("b", Jobs(2), {.hold = true}).ok());
  auto one = worker_->OpenLogs({.batch = {"ann", "b"}, .index = 2, .follow = true});
  auto all = worker_->OpenLogs({.batch = {"ann", "b"}, .follow = true});
  EXPECT_FALSE((*one)->Read(100)->finished);
  EXPECT_FALSE((*all)->Read(100)->finished);
  ASSERT_TRUE(Cancel("b").ok());
  const auto page = (*one)->Read(100);
  EXPECT_TRUE(page->finished);
  ASSERT_EQ(page->ends.size(), 1u);
  EXPECT_EQ(page->ends[0].outcome.state, JobState::kCancelled);
  EXPECT_EQ((*all)->Read(100)->ends.size(), 2u);
}

TEST_F(LogSessionTest, RetriedOutputFollowsThatOfTheAttemptBefore) {
  ASSERT_TRUE(Submit("b", Jobs(1, 1)).ok());
  const auto first = launcher_->WaitLaunched(1).key;
  Output(1).Write(Stream::kOut, "first ", kT);
  launcher_->Exit(first, ExitStatus::Exited(1));
  const auto second = launcher_->WaitLaunched(2).key;
  Output(1).Write(Stream::kOut, "second ", kT + kMs);
  launcher_->Exit(second, ExitStatus::Exited(1));
  UntilEnded("b");
  auto session = worker_->OpenLogs({.batch = {"ann", "b"}, .follow = true});
  auto page = (*session)->Read(1000);
  ASSERT_EQ(page->ends.size(), 1u);
  EXPECT_TRUE(page->finished);
  EXPECT_EQ(Text({}), "first second ");
  // Retried by hand, long after a reader was done with it.
  (void)Cancel("b");
  ASSERT_EQ(*Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}}, false, done); }), 1u);
  const auto third = launcher_->WaitLaunched(3).key;
  Output(1).Write(Stream::kOut, "third", kT + 2 * kMs);
  launcher_->Exit(third, ExitStatus::Exited(0));
  UntilEnded("b");
  EXPECT_EQ(Text({.cursor = page->cursor}), "third");
  EXPECT_EQ(Text({}), "first second third");
}

TEST_F(LogSessionTest, ManyJobsNeedFewDescriptors) {
  launcher_->RunAtOnce();
  ASSERT_TRUE(Submit("b", Jobs(300)).ok());
  UntilEnded("b");
  for (uint32_t i = 1; i <= 300; ++i) Output(i).Write(Stream::kOut, std::to_string(i) + "\n", kT + i * kMs);
  std::string expected;
  for (uint32_t i = 1; i <= 300; ++i) expected += std::to_string(i) + "\n";
  EXPECT_EQ(Text({}), expected);
}

// Jobs that ran, wrote a line each, and wait to run again; one of them has begun to.
class RequeuedLogTest : public LogSessionTest {
 protected:
  void Requeue(uint32_t jobs) {
    launcher_->RunAtOnce();
    ASSERT_TRUE(Submit("b", Jobs(jobs)).ok());
    UntilEnded("b");
    for (uint32_t i = 1; i <= jobs; ++i) Output(i).Write(Stream::kOut, Line(i), kT + i * kMs);
    limits_.max_running = 1;
    Restart();
    const auto retried = Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}}, false, done); });
    ASSERT_TRUE(retried.ok()) << retried.error().message();
    ASSERT_EQ(*retried, jobs);
  }
  static std::string Line(uint32_t index) { return "of job " + std::to_string(index) + "\n"; }
  static std::string Lines(uint32_t first, uint32_t last) {
    std::string text;
    for (uint32_t i = first; i <= last; ++i) text += Line(i);
    return text;
  }
};

TEST_F(RequeuedLogTest, FaultA18TheLastLinesOfManyRequeuedJobsAreWholeAndNeedFewDescriptors) {
  Requeue(1200);
  const FewDescriptors few(250);
  EXPECT_EQ(Text({.tail_lines = 1200}), Lines(1, 1200));
}

TEST_F(RequeuedLogTest, ALastLineMayBeOfTheLastOfManyRequeuedJobs) {
  Requeue(1200);
  const FewDescriptors few(250);
  EXPECT_EQ(Text({.tail_lines = 3}), Lines(1198, 1200));
}

TEST_F(RequeuedLogTest, ReadingAllOfManyRequeuedJobsNeedsFewDescriptorsWhereverItIsCut) {
  Requeue(300);
  const FewDescriptors few(250);
  EXPECT_EQ(Text({}), Lines(1, 300));
  std::string text;
  LogQuery query{.batch = {"ann", "b"}};
  for (bool finished = false; !finished;) {
    auto session = worker_->OpenLogs(query);
    ASSERT_TRUE(session.ok()) << session.error().message();
    const auto page = (*session)->Read(2000);
    ASSERT_TRUE(page.ok()) << page.error().message();
    for (const auto& chunk : page->chunks) text += chunk.data;
    query.cursor = page->cursor;
    finished = page->finished;
  }
  EXPECT_EQ(text, Lines(1, 300));
}

TEST_F(LogSessionTest, MoreRunningJobsThanMayBeOpenAreMergedWhole) {
  worker_.reset();
  limits_.max_running = 200;
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Submit("b", Jobs(200)).ok());
  launcher_->WaitLaunched(200);
  std::string expected;
  for (int round = 0; round < 5; ++round) {
    for (uint32_t i = 1; i <= 200; ++i) {
      const std::string line = std::to_string(round) + " of " + std::to_string(i) + "\n";
      Output(i).Write(i % 3 == 0 ? Stream::kErr : Stream::kOut, line, kT + (round * 200 + static_cast<int>(i)) * kMs);
      expected += line;
    }
  }
  const FewDescriptors few(250);
  EXPECT_EQ(Text({}), expected);
  EXPECT_EQ(Text({.tail_lines = 1000}), expected);
}

}  // namespace
}  // namespace jobd::worker
