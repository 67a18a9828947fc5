// Compression by itself, and everything that is done with a batch afterwards.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/unit/worker/worker_fixture.h"
#include "worker/store/batch_files.h"

namespace jobd::worker {
namespace {

namespace fs = std::filesystem;
using launch::Stream;
constexpr base::Nanos kDay = 86'400 * base::kNanosPerSecond;

class CompressTest : public WorkerTest {
 protected:
  fs::path Path(const std::string& name) const { return dir_ / "logs" / "ann" / "b" / name; }
  bool Exists(const std::string& name) const { return fs::exists(Path(name)); }
  FakeOutput Output(uint32_t index) { return FakeOutput(logs_.get(), "ann/b", index); }
  // Two jobs that wrote to both streams, in turn, and ended well. One wrote little.
  void RunTwo(int more_lines = 0) {
    ASSERT_TRUE(Submit("b", Jobs(2)).ok());
    base::Nanos time = kT;
    for (size_t i = 1; i <= 2; ++i) launcher_->Running(launcher_->WaitLaunched(i).key);
    for (int line = 0; line < 6000; ++line) {
      Output(1).Write(line % 3 == 0 ? Stream::kErr : Stream::kOut, Line(line), time += base::kNanosPerMilli);
    }
    std::string more;
    for (int line = 0; line < more_lines; ++line) more += Line(line);
    if (more_lines > 0) Output(1).Write(Stream::kOut, more, ++time);
    Output(2).Write(Stream::kOut, "short\n", time + 1);
    for (size_t i = 1; i <= 2; ++i) launcher_->Exit(launcher_->WaitLaunched(i).key, base::ExitStatus::Exited(0));
    UntilEnded("b");
  }
  static std::string Line(int line) {
    return "line " + std::to_string(line) + " of a log that says much the same in each of its lines, but for a number " +
           std::to_string(int64_t{line} * 7919 % 10'007) + "\n";
  }
  void CompressNow() {
    clock_.Advance(2 * kDay);
    limits_.retention.compress_after = kDay;
    worker_->SetLimits(limits_);
    AwaitCompressed();
  }
  void AwaitCompressed() {
    while (Exists("1.out") || Exists("1.err")) std::this_thread::yield();
    // Until the pass is over.
    while (worker_->GetStatus().kept.bytes != BatchFolderBytes(logs_.get(), {"ann", "b"})) std::this_thread::yield();
  }
  std::string Text(LogQuery query, size_t page_size = 65536) {
    query.batch = {"ann", "b"};
    auto session = worker_->OpenLogs(query);
    return session.ok() ? TextOf(**session, page_size) : "error: " + session.error().message();
  }
  static std::string TextOf(LogSession& session, size_t page_size = 65536) {
    std::string text;
    for (;;) {
      const auto page = session.Read(page_size);
      if (!page.ok()) return "error: " + page.error().message();
      for (const auto& chunk : page->chunks) text += chunk.data;
      if (page->finished) return text;
      EXPECT_FALSE(page->empty());
    }
  }
  uint32_t Retry(std::optional<uint32_t> index) {
    const auto count = Await<uint32_t>([&](auto done) { worker_->Retry({.batch = {"ann", "b"}, .index = index}, false, done); });
    return count.ok() ? *count : 0;
  }
  static constexpr base::Nanos kT = FakeLauncher::kStarted + base::kNanosPerSecond;
};

TEST_F(CompressTest, NothingIsCompressedUnlessAskedAndNothingYoung) {
  ASSERT_TRUE(Open().ok());
  RunTwo();
  clock_.Advance(1000 * kDay);
  worker_->SetLimits(limits_);
  // A whole pass after the other: it removes another batch.
  limits_.retention.all.max_batches = 1;
  limits_.retention.compress_after = 2000 * kDay;
  ASSERT_TRUE(Submit("c", Jobs(1), {.hold = true}).ok());
  worker_->SetLimits(limits_);
  while (worker_->GetStatus().kept.rule.max_batches != 1) std::this_thread::yield();
  EXPECT_TRUE(Exists("1.out"));
  EXPECT_FALSE(Exists("1.out.zst"));
}

TEST_F(CompressTest, EveryQueryGivesWhatItGaveBefore) {
  ASSERT_TRUE(Open().ok());
  RunTwo();
  const std::vector<LogQuery> queries = {
      {},
      {.index = 1},
      {.index = 2},
      {.stream = Stream::kErr},
      {.tail_lines = 0},
      {.tail_lines = 1},
      {.tail_lines = 10},
      {.tail_lines = 5000},  // over a frame's end
      {.index = 1, .stream = Stream::kOut, .tail_lines = 3},
      {.since = kT + 5990 * base::kNanosPerMilli},
      {.since = kT + 3000 * base::kNanosPerMilli, .until = kT + 3010 * base::kNanosPerMilli},
      {.index = 1, .stream = Stream::kOut, .offset = 262'140},
      {.index = 1, .stream = Stream::kErr, .offset = 12'345},
      {.follow = true},
      {.tail_lines = 7, .follow = true},
  };
  std::vector<std::string> before;
  for (const LogQuery& query : queries) before.push_back(Text(query));
  ASSERT_GT(before[0].size(), 500'000u);
  const uint64_t bytes = BatchFolderBytes(logs_.get(), {"ann", "b"});

  // One reader in the middle when it happens, one that resumes at its cursor behind it.
  auto reading = worker_->OpenLogs({.batch = {"ann", "b"}});
  const auto page = (*reading)->Read(100'000);
  std::string first;
  for (const auto& chunk : page->chunks) first += chunk.data;
  CompressNow();
  EXPECT_TRUE(Exists("1.out.zst"));
  EXPECT_TRUE(Exists("1.err.zst"));
  EXPECT_TRUE(Exists("2.out")) << "too small";
  EXPECT_EQ(first + TextOf(**reading), before[0]);
  EXPECT_EQ(first + Text({.cursor = page->cursor}), before[0]);
  EXPECT_EQ(first + Text({.cursor = page->cursor, .follow = true}), before[0]);

  for (size_t i = 0; i < queries.size(); ++i) {
    EXPECT_EQ(Text(queries[i]), before[i]) << "query " << i;
    EXPECT_EQ(Text(queries[i], 1000), before[i]) << "query " << i << " by small pages";
  }
  EXPECT_LT(BatchFolderBytes(logs_.get(), {"ann", "b"}), bytes);
  Restart();
  EXPECT_EQ(Text({}), before[0]);
}

TEST_F(CompressTest, RetriedJobsAppendToWhatTheyWrote) {
  ASSERT_TRUE(Open().ok());
  RunTwo();
  const std::string before = Text({.index = 1});
  auto reading = worker_->OpenLogs({.batch = {"ann", "b"}, .index = 1});
  std::string read;
  const auto take = [&](size_t size) {
    const auto page = (*reading)->Read(size);
    ASSERT_TRUE(page.ok()) << page.error().message();
    for (const auto& chunk : page->chunks) read += chunk.data;
  };
  take(100'000);
  CompressNow();

  ASSERT_EQ(Retry(1), 1u);
  const auto again = launcher_->WaitLaunched(3);
  EXPECT_EQ(again.key.attempt, 2u);
  EXPECT_TRUE(Exists("1.out")) << "plain before it is started";
  EXPECT_TRUE(Exists("1.err"));
  EXPECT_FALSE(Exists("1.out.zst"));
  launcher_->Running(again.key);
  Output(1).Write(Stream::kOut, "second attempt\n", kT + kDay);
  EXPECT_EQ(Text({.index = 1}), before + "second attempt\n");
  launcher_->Exit(again.key, base::ExitStatus::Exited(0));
  UntilEnded("b");
  // A reader from before all that has its old files, and finds the new one.
  while (read.size() < before.size() + 15) {
    const size_t had = read.size();
    take(100'000);
    ASSERT_GT(read.size(), had);
  }
  EXPECT_EQ(read, before + "second attempt\n");
  clock_.Advance(2 * kDay);
  worker_->SetLimits(limits_);
  AwaitCompressed();
  EXPECT_EQ(Text({.index = 1}), before + "second attempt\n");
}

TEST_F(CompressTest, ARetryRightAfterARestartFindsItCompressed) {
  ASSERT_TRUE(Open().ok());
  RunTwo();
  const std::string before = Text({});
  CompressNow();
  limits_.retention.compress_after = 0;
  Restart();
  ASSERT_EQ(Retry(std::nullopt), 2u);
  for (size_t i = 1; i <= 2; ++i) launcher_->Running(launcher_->WaitLaunched(i).key);
  EXPECT_TRUE(Exists("1.out"));
  Output(1).Write(Stream::kErr, "again\n", kT + kDay);
  EXPECT_EQ(Text({}), before + "again\n");
}

TEST_F(CompressTest, ARetryAndAPassDoNotMeet) {
  limits_.retention.compress_after = 1;  // at once
  ASSERT_TRUE(Open().ok());
  RunTwo();
  AwaitCompressed();
  const std::string before = Text({.index = 1});
  std::string more;
  for (uint32_t attempt = 2; attempt <= 6; ++attempt) {
    // While it is being compressed, or was.
    ASSERT_EQ(Retry(1), 1u);
    const auto launched = launcher_->WaitLaunched(attempt + 1);
    launcher_->Running(launched.key);
    const std::string line = "attempt " + std::to_string(attempt) + "\n";
    Output(1).Write(Stream::kOut, line, kT + kDay + attempt);
    more += line;
    worker_->SetLimits(limits_);
    launcher_->Exit(launched.key, base::ExitStatus::Exited(0));
    UntilEnded("b");
    ASSERT_EQ(Text({.index = 1}), before + more);
  }
  AwaitCompressed();
  EXPECT_EQ(Text({.index = 1}), before + more);
}

TEST_F(CompressTest, ARetryWaitsForTheFileThatIsBeingCompressed) {
  ASSERT_TRUE(Open().ok());
  RunTwo(400'000);
  const std::string before = Text({.index = 1});
  clock_.Advance(2 * kDay);
  limits_.retention.compress_after = kDay;
  worker_->SetLimits(limits_);
  while (!Exists(".1.out.zst.new") && !Exists("1.out.zst")) std::this_thread::yield();
  ASSERT_EQ(Retry(1), 1u);
  launcher_->Running(launcher_->WaitLaunched(3).key);
  EXPECT_TRUE(Exists("1.out"));
  EXPECT_FALSE(Exists(".1.out.zst.new")) << "nothing is done to the files of a job that runs";
  EXPECT_FALSE(Exists("1.out.zst"));
  Output(1).Write(Stream::kOut, "again\n", kT + kDay);
  EXPECT_TRUE(Text({.index = 1}) == before + "again\n");
}

TEST_F(CompressTest, WhatIsCutShortIsDoneAtTheNextStart) {
  ASSERT_TRUE(Open().ok());
  RunTwo();
  const std::string before = Text({});
  std::ofstream(Path(".1.out.zst.new")) << "half";
  std::ofstream(Path("1.err.zst")) << "whole, but its plain file is still there";
  EXPECT_EQ(Text({}), before);
  clock_.Advance(2 * kDay);
  limits_.retention.compress_after = kDay;
  Restart();
  AwaitCompressed();
  EXPECT_EQ(Text({}), before);
  EXPECT_FALSE(Exists(".1.out.zst.new"));
}

TEST_F(CompressTest, RemovalAndBoundsSeeWhatIsThere) {
  ASSERT_TRUE(Open().ok());
  RunTwo();
  CompressNow();
  const uint64_t bytes = BatchFolderBytes(logs_.get(), {"ann", "b"});
  EXPECT_EQ(worker_->GetStatus().kept.bytes, bytes);
  const auto dry = Await<Pruned>([&](auto done) { worker_->Prune("ann", 0, true, done); });
  ASSERT_TRUE(dry.ok());
  EXPECT_EQ(dry->bytes, bytes);
  // A bound that fits what it takes now, and not what it took.
  limits_.retention.all.max_bytes = bytes;
  worker_->SetLimits(limits_);
  while (worker_->GetStatus().kept.rule.max_bytes != bytes) std::this_thread::yield();
  EXPECT_TRUE(Exists("1.out.zst"));
  const auto removed = Await<bool>([&](auto done) { worker_->Remove({"ann", "b"}, done); });
  EXPECT_TRUE(removed.ok());
  EXPECT_FALSE(fs::exists(Path("")));
}

TEST_F(CompressTest, DamageIsTheJobsOwn) {
  ASSERT_TRUE(Open().ok());
  RunTwo();
  CompressNow();
  fs::resize_file(Path("1.out.zst"), fs::file_size(Path("1.out.zst")) - 1);
  const auto session = worker_->OpenLogs({.batch = {"ann", "b"}, .index = 1});
  ASSERT_TRUE(session.ok());
  const auto page = (*session)->Read(1000);
  ASSERT_FALSE(page.ok());
  EXPECT_EQ(page.error().code(), base::Code::kDataLoss);
  EXPECT_EQ(page.error().message(), "stdout of job 1: the seek table is damaged");
  EXPECT_EQ(Text({.index = 2}), "short\n");
  EXPECT_EQ(Text({.index = 1, .stream = Stream::kErr, .tail_lines = 1}), Line(5997));
  // Nothing may be appended to what cannot be read, and it is not thrown away either.
  ASSERT_EQ(Retry(std::nullopt), 2u);
  UntilState("b", 1, JobState::kFailed);
  EXPECT_EQ(Job("b", 1).outcome.reason.step, "reading the compressed output of earlier attempts");
  EXPECT_EQ(launcher_->WaitLaunched(3).key.index, 2u);
  EXPECT_TRUE(Exists("1.out.zst"));
  EXPECT_FALSE(Exists("1.out"));
}

}  // namespace
}  // namespace jobd::worker
