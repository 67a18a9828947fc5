// The files of a job's output: what they take of the disk, whatever a job prints and how.
#include "launch/shim/job_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temp_dir.h"

namespace jobd::launch {
namespace {

using base::kNanosPerMilli;

constexpr base::Nanos kT = 1'700'000'000 * base::kNanosPerSecond;
constexpr uint64_t kSpare = 64 * 1024;  // that FORMAT.md allows beside the limit

class JobLogTest : public ::testing::Test {
 protected:
  // Both clocks go on by `step` with each chunk.
  void Append(JobLog& log, Stream stream, std::string_view text, base::Nanos step) {
    now_ += step;
    if (const auto due = log.due(); due && *due <= now_) log.Settle(now_);
    log.Append(stream, std::as_bytes(std::span(text)), kT + now_, now_);
  }
  std::string File(const std::string& name) const {
    std::ifstream in(temp_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::vector<IndexRecord> Index() const {
    std::vector<IndexRecord> records;
    const std::string bytes = File("1.idx");
    EXPECT_EQ(bytes.size() % kIndexRecordSize, 0u);
    for (size_t at = 0; at + kIndexRecordSize <= bytes.size(); at += kIndexRecordSize) {
      const auto record = DecodeIndex(std::as_bytes(std::span(bytes)).subspan(at, kIndexRecordSize));
      EXPECT_TRUE(record.ok());
      if (record.ok()) records.push_back(*record);
    }
    return records;
  }
  // Each stream's records follow each other, account for each of its bytes, and their times never go back.
  void ExpectWhole(const JobLog& log) {
    uint64_t next[3] = {0, 0, 0};
    uint64_t gaps = 0;
    base::Nanos time = 0;
    for (const IndexRecord& record : Index()) {
      EXPECT_EQ(record.offset, next[static_cast<size_t>(record.stream)]);
      (record.gap ? gaps : next[static_cast<size_t>(record.stream)]) += record.length;
      EXPECT_GE(record.time, time);
      time = record.time;
    }
    EXPECT_EQ(next[1], SizeOf("1.out"));
    EXPECT_EQ(next[2], SizeOf("1.err"));
    EXPECT_EQ(next[1], log.kept(Stream::kOut));
    EXPECT_EQ(next[2], log.kept(Stream::kErr));
    EXPECT_EQ(gaps, log.dropped());
  }
  uint64_t SizeOf(const std::string& name) const {
    std::error_code absent;
    const auto size = std::filesystem::file_size(temp_ / name, absent);
    return absent ? 0 : size;
  }
  uint64_t BytesOnDisk() const { return SizeOf("1.out") + SizeOf("1.err") + SizeOf("1.idx"); }

  test::TempDir temp_;
  base::Fd dir_ = temp_.Open();
  base::Nanos now_ = 5 * base::kNanosPerSecond;
};

TEST_F(JobLogTest, FaultD13OutputAByteAtATimeIsBoundedByTheLimit) {
  constexpr uint64_t kLimit = 256 * 1024;
  JobLog log(dir_.get(), {}, 1, 1, kLimit);
  for (int i = 0; i < 300'000; ++i) Append(log, Stream::kOut, "x", kNanosPerMilli);
  log.Finish(kT + now_);
  EXPECT_LE(BytesOnDisk(), kLimit + kSpare);
  EXPECT_EQ(log.kept(Stream::kOut) + log.dropped(), 300'000u);
  EXPECT_TRUE(log.cut());
  EXPECT_LE(File("1.idx").size(), File("1.out").size() * 3) << "records are merged";
  ExpectWhole(log);
}

TEST_F(JobLogTest, FaultD13BytesOfAlternatingStreamsCannotBeMergedAndCount) {
  constexpr uint64_t kLimit = 512 * 1024;
  JobLog log(dir_.get(), {}, 1, 1, kLimit);
  for (int i = 0; i < 100'000; ++i) Append(log, i % 2 == 0 ? Stream::kOut : Stream::kErr, "x", 1000);
  log.Finish(kT + now_);
  EXPECT_LE(BytesOnDisk(), kLimit + kSpare);
  EXPECT_TRUE(log.cut());
  ExpectWhole(log);
}

TEST_F(JobLogTest, FaultD13BytesThatComeSlowlyCount) {
  constexpr uint64_t kLimit = 100'000;
  JobLog log(dir_.get(), {}, 1, 1, kLimit);
  for (int i = 0; i < 50'000; ++i) Append(log, Stream::kErr, "x", 20 * kNanosPerMilli);
  log.Finish(kT + now_);
  EXPECT_LE(BytesOnDisk(), kLimit + kSpare);
  EXPECT_TRUE(log.cut());
  ExpectWhole(log);
}

TEST_F(JobLogTest, OrdinaryOutputIsKeptToTheLastByteOfTheLimit) {
  constexpr uint64_t kLimit = 8u << 20;
  JobLog log(dir_.get(), {}, 1, 1, kLimit);
  const std::string chunk(64 * 1024, 'x');
  for (int i = 0; i < 150; ++i) Append(log, Stream::kOut, chunk, 100'000);
  log.Finish(kT + now_);
  EXPECT_EQ(log.kept(Stream::kOut), kLimit);
  EXPECT_LE(BytesOnDisk(), kLimit + kSpare);
  ExpectWhole(log);
}

TEST_F(JobLogTest, TheFirstChunkIsThereAtOnceAndLaterOnesWithinTheWindow) {
  JobLog log(dir_.get(), {}, 1, 1, 0);
  Append(log, Stream::kOut, "a", 0);
  ASSERT_EQ(Index().size(), 1u);
  EXPECT_FALSE(log.due().has_value());
  Append(log, Stream::kOut, "b", kNanosPerMilli);
  Append(log, Stream::kOut, "c", kNanosPerMilli);
  EXPECT_EQ(Index().size(), 1u);
  ASSERT_TRUE(log.due().has_value());
  EXPECT_EQ(*log.due(), now_ - 2 * kNanosPerMilli + kGatherWindow);
  log.Settle(*log.due() - 1);
  EXPECT_EQ(Index().size(), 1u);
  log.Settle(*log.due());
  ASSERT_EQ(Index().size(), 2u);
  EXPECT_FALSE(log.due().has_value());
  EXPECT_TRUE(Index()[1].gathered);
  EXPECT_EQ(Index()[1].time, kT + now_ - kNanosPerMilli) << "the time of the first of them";
  EXPECT_FALSE(Index()[0].gathered);
}

TEST_F(JobLogTest, TheOrderBetweenTheStreamsStays) {
  JobLog log(dir_.get(), {}, 1, 1, 0);
  for (int i = 0; i < 10; ++i) {
    Append(log, Stream::kOut, "o", 1000);
    Append(log, Stream::kOut, "o", 1000);
    Append(log, Stream::kErr, "e", 1000);
  }
  log.Finish(kT + now_);
  std::string order;
  for (const IndexRecord& record : Index()) order.append(record.length, record.stream == Stream::kOut ? 'o' : 'e');
  std::string expected;
  for (int i = 0; i < 10; ++i) expected += "ooe";
  EXPECT_EQ(order, expected);
  ExpectWhole(log);
}

TEST_F(JobLogTest, BytesWhoseRecordTheDiskRefusesAreTakenBackAndCounted) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 10 * kIndexRecordSize, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  JobLog log(dir_.get(), {}, 1, 1, 0);
  for (int i = 0; i < 100; ++i) Append(log, i % 2 == 0 ? Stream::kOut : Stream::kErr, "x", 1000);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  Append(log, Stream::kOut, "y", kGatherWindow);
  log.Finish(kT + now_);
  EXPECT_TRUE(log.disk_error());
  EXPECT_EQ(log.kept(Stream::kOut) + log.kept(Stream::kErr) + log.dropped(), 101u);
  EXPECT_EQ(File("1.out"), "xxxxxy");
  EXPECT_EQ(File("1.err"), "xxxxx");
  ExpectWhole(log);
}

}  // namespace
}  // namespace jobd::launch
