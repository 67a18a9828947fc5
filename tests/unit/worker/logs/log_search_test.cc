// Where reading begins: against what looking at every record would give.
#include "worker/logs/log_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/worker/worker_fixture.h"

namespace jobd::worker {
namespace {

using launch::Stream;

constexpr base::Nanos kT = 1'700'000'000 * base::kNanosPerSecond;

// Longer than what is read of an index at once, more than once over.
constexpr int kRecords = 500;

struct Line {
  base::Nanos time = 0;
  uint32_t job = 0;
  Stream stream = Stream::kOut;
  std::string text;
};

class LogSearchTest : public ::testing::Test {
 protected:
  FakeOutput Output(uint32_t index) { return FakeOutput(dir_.get(), ".", index); }

  // What there is to read of a job from a position on.
  std::string TextFrom(uint32_t index, std::optional<Stream> only, LogPosition position) {
    FrameCache cache;
    JobLogReader log(index, only, position, cache);
    std::string text;
    for (;;) {
      const auto more = log.Load(dir_.get());
      EXPECT_TRUE(more.ok());
      if (!more.ok() || !*more) return text;
      if (log.head().gap) {
        log.Skip();
      } else {
        EXPECT_TRUE(log.Take(1 << 20, text).ok());
      }
    }
  }

  TempDir temp_;
  base::Fd dir_ = temp_.Open("b");
  std::mt19937 random_{11};
};

TEST_F(LogSearchTest, LastLinesOfManyJobsAreTheLatest) {
  constexpr uint32_t kJobs = 7;
  std::vector<Line> lines;
  for (int i = 0; i < static_cast<int>(kJobs) * kRecords; ++i) {
    // Jobs come and go: a stretch of the time belongs to few of them.
    const auto job = static_cast<uint32_t>(1 + (static_cast<unsigned>(i) / kRecords + random_() % 3) % kJobs);
    const Stream stream = random_() % 10 == 0 ? Stream::kErr : Stream::kOut;
    lines.push_back({kT + i, job, stream, std::to_string(i) + "\n"});
    Output(job).Write(stream, lines.back().text, lines.back().time);
    if (random_() % 50 == 0) Output(job).Gap(stream, 0, 10, lines.back().time);
  }
  // The jobs by falling end, as the worker gives those that ended; jobs 1 and 2 are still running.
  std::vector<TailJob> jobs;
  for (uint32_t job = 1; job <= kJobs; ++job) {
    TailJob one{.index = job};
    for (const Line& line : lines) {
      if (job > 2 && line.job == job) one.ended_at = line.time;
    }
    jobs.push_back(one);
  }
  std::sort(jobs.begin() + 2, jobs.end(), [](const TailJob& a, const TailJob& b) { return a.ended_at > b.ended_at; });

  for (const std::optional<Stream> only : {std::optional<Stream>(), std::optional(Stream::kOut), std::optional(Stream::kErr)}) {
    std::vector<Line> shown;
    std::copy_if(lines.begin(), lines.end(), std::back_inserter(shown), [&](const Line& l) { return !only || l.stream == *only; });
    for (const size_t wanted :
         {size_t{0}, size_t{1}, size_t{10}, size_t{63}, size_t{64}, size_t{65}, size_t{1000}, shown.size(), shown.size() + 1}) {
      size_t asked = 0;
      const auto positions = SeekLines(dir_.get(), only, wanted, [&]() -> base::Result<std::optional<TailJob>> {
        return asked < jobs.size() ? std::optional(jobs[asked++]) : std::nullopt;
      });
      ASSERT_TRUE(positions.ok());
      std::map<uint32_t, std::string> expected;
      for (size_t i = shown.size() - std::min(wanted, shown.size()); i < shown.size(); ++i) expected[shown[i].job] += shown[i].text;
      for (uint32_t job = 1; job <= kJobs; ++job) {
        const auto found = positions->find(job);
        EXPECT_EQ(found == positions->end() ? "" : TextFrom(job, only, found->second), expected[job])
            << "job " << job << " of " << wanted;
      }
    }
  }
}

// More jobs at once than may have their files open, more than may keep what was read, and records longer than what is read ahead.
TEST_F(LogSearchTest, LinesOfManyJobsInTurnAreCountedOnce) {
  for (const uint32_t jobs : {200u, 1100u}) {
    const uint32_t first = jobs;  // numbers of their own
    std::map<uint32_t, std::string> expected;
    base::Nanos time = kT;
    std::vector<std::pair<uint32_t, std::string>> shown;
    for (int turn = 0; turn < 3; ++turn) {
      for (uint32_t job = first; job < first + jobs; ++job) {
        const std::string text = std::string(job % 40 == 0 ? 9000 : 10, 'a' + static_cast<char>(turn)) + "\n";
        Output(job).Write(Stream::kOut, text, ++time);
        shown.emplace_back(job, text);
      }
    }
    const size_t wanted = 2 * jobs + jobs / 2;
    for (size_t i = shown.size() - wanted; i < shown.size(); ++i) expected[shown[i].first] += shown[i].second;
    uint32_t asked = first;
    const auto positions = SeekLines(dir_.get(), std::nullopt, wanted, [&]() -> base::Result<std::optional<TailJob>> {
      return asked < first + jobs ? std::optional(TailJob{.index = asked++}) : std::nullopt;
    });
    ASSERT_TRUE(positions.ok());
    for (uint32_t job = first; job < first + jobs; ++job) {
      ASSERT_TRUE(positions->contains(job)) << job;
      EXPECT_EQ(TextFrom(job, std::nullopt, positions->at(job)), expected[job]) << job;
    }
  }
}

TEST_F(LogSearchTest, FaultD13ATimeWithinAGatheredRecordBeginsAtThatRecord) {
  constexpr base::Nanos kMs = base::kNanosPerMilli;
  Output(1).Write(Stream::kOut, "alone ", kT);
  Output(1).Write(Stream::kOut, "several ", kT + 20 * kMs, true);
  Output(1).Write(Stream::kErr, "after ", kT + 40 * kMs);
  const auto from = [&](base::Nanos time) {
    const auto found = SeekTime(dir_.get(), 1, time);
    return found.ok() ? TextFrom(1, std::nullopt, *found) : found.error().message();
  };
  EXPECT_EQ(from(kT + 1), "several after ") << "a record of one chunk is of its time alone";
  EXPECT_EQ(from(kT + 20 * kMs), "several after ");
  EXPECT_EQ(from(kT + 21 * kMs), "several after ");
  EXPECT_EQ(from(kT + 30 * kMs - 1), "several after ");
  EXPECT_EQ(from(kT + 30 * kMs), "after ");
  EXPECT_EQ(from(kT + 41 * kMs), "");
}

TEST_F(LogSearchTest, DamagedRecordsArePassedOver) {
  std::vector<bool> damaged(kRecords);
  std::string index;
  for (int i = 0; i < kRecords; ++i) {
    // Singly, and a stretch that no block of the index is free of.
    damaged[static_cast<size_t>(i)] = random_() % 20 == 0 || (i > 150 && i < 350);
    auto record = launch::EncodeIndex(
        {.time = kT + 10 * i, .offset = static_cast<uint64_t>(i), .length = 1, .stream = i % 7 == 0 ? Stream::kErr : Stream::kOut});
    if (damaged[static_cast<size_t>(i)]) record[3] ^= std::byte{0x55};
    index.append(reinterpret_cast<const char*>(record.data()), record.size());
  }
  Output(1).Append(launch::IndexName(1), index + "torn");
  const auto intact_from = [&](uint64_t number) {
    while (number < kRecords && damaged[number]) ++number;
    return number;
  };
  for (int i = 0; i <= kRecords; ++i) {
    const auto found = SeekTime(dir_.get(), 1, kT + 10 * i - 5);
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(intact_from(found->record), intact_from(static_cast<uint64_t>(i))) << i;
  }
}

TEST_F(LogSearchTest, AByteIsFoundInItsStream) {
  std::vector<std::pair<Stream, uint64_t>> ends;
  std::map<Stream, uint64_t> size;
  for (int i = 0; i < kRecords; ++i) {
    // One stream is rare, so that its next record is blocks away.
    const Stream stream = i % 200 == 100 ? Stream::kErr : Stream::kOut;
    const std::string text(1 + random_() % 5, 'x');
    Output(1).Write(stream, text, kT + i);
    ends.emplace_back(stream, size[stream] += text.size());
  }
  for (const Stream stream : {Stream::kOut, Stream::kErr}) {
    for (uint64_t offset = 0; offset < size[stream]; ++offset) {
      const auto found = SeekOffset(dir_.get(), 1, stream, offset);
      ASSERT_TRUE(found.ok());
      EXPECT_EQ(TextFrom(1, stream, *found).size(), size[stream] - offset);
      const auto behind =
          std::find_if(ends.begin(), ends.end(), [&](const auto& end) { return end.first == stream && end.second > offset; });
      EXPECT_LE(found->record, static_cast<uint64_t>(behind - ends.begin()));
    }
  }
}

TEST_F(LogSearchTest, WithoutAnIndexThereIsNothing) {
  EXPECT_EQ(*SeekTime(dir_.get(), 1, kT), LogPosition{});
  EXPECT_EQ(SeekOffset(dir_.get(), 1, Stream::kOut, 5)->out, 5u);
  bool given = false;
  const auto positions = SeekLines(dir_.get(), std::nullopt, 10, [&]() -> base::Result<std::optional<TailJob>> {
    return std::exchange(given, true) ? std::nullopt : std::optional(TailJob{.index = 1});
  });
  ASSERT_TRUE(positions.ok());
  EXPECT_EQ(positions->at(1), LogPosition{});
}

}  // namespace
}  // namespace jobd::worker
