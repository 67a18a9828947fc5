// Exit slots, log index records and the names of steps.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "base/files.h"
#include "launch/contract/exit_file.h"
#include "launch/contract/log_index.h"

namespace jobd::launch {
namespace {

SlotRecord FullSlot() {
  SlotRecord r;
  r.phase = Phase::kEnded;
  r.attempt = 3;
  r.shim_pid = 11;
  r.job_pid = 12;
  r.boot = 0xdeadbeefcafef00d;
  r.started_at = 1'700'000'000'000'000'001;
  r.ended_at = 1'700'000'001'000'000'002;
  r.wall = 1'000'000'001;
  r.cause = EndCause::kTimeout;
  r.exit = base::ExitStatus::Signaled(9);
  r.step = Step::kExec;
  r.step_errno = 2;
  r.flags = kFlagOutputCut | kFlagLogDiskError;
  r.user_cpu_us = 21;
  r.system_cpu_us = 22;
  r.peak_memory = 23;
  r.read_bytes = 24;
  r.written_bytes = 25;
  r.voluntary_switches = 26;
  r.involuntary_switches = 27;
  r.stdout_bytes = 1ull << 40;
  r.stderr_bytes = 29;
  r.dropped_bytes = 30;
  return r;
}

TEST(SlotTest, EveryFlippedBitIsFound) {
  const SlotBytes good = EncodeSlot(FullSlot());
  for (size_t i = 0; i < kSlotSize * 8; ++i) {
    SlotBytes bad = good;
    bad[i / 8] ^= static_cast<std::byte>(1 << (i % 8));
    const auto decoded = DecodeSlot(bad);
    ASSERT_FALSE(decoded.ok()) << i;
    EXPECT_EQ(decoded.error().code(), base::Code::kDataLoss);
  }
}

TEST(SlotTest, ATornWriteIsDamageAndNotAnOutcome) {
  const SlotBytes good = EncodeSlot(FullSlot());
  for (size_t size = 0; size < kSlotSize; ++size) {
    EXPECT_FALSE(DecodeSlot(std::span(good).first(size)).ok());
    SlotBytes torn{};
    std::copy_n(good.begin(), size, torn.begin());
    if (size == 0 || size >= kSlotSize - 4) continue;  // nothing of it, or all that counts
    EXPECT_FALSE(DecodeSlot(torn).ok()) << size;
  }
}

TEST(SlotTest, NothingWrittenReadsAsNone) {
  const auto decoded = DecodeSlot(SlotBytes{});
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->phase, Phase::kNone);
}

TEST(SlotTest, SurvivesTheRoundTrip) {
  const auto decoded = DecodeSlot(EncodeSlot(FullSlot()));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(EncodeSlot(*decoded), EncodeSlot(FullSlot()));
  EXPECT_EQ(decoded->cause, EndCause::kTimeout);
  EXPECT_EQ(decoded->exit, base::ExitStatus::Signaled(9));
  EXPECT_EQ(decoded->stdout_bytes, 1ull << 40);
  EXPECT_EQ(decoded->step_errno, 2);
}

TEST(ExitFileTest, AFileThatEndsBeforeTheSlotReadsAsNone) {
  const base::Fd file(::memfd_create("exits", MFD_CLOEXEC));
  EXPECT_EQ(ReadSlot(file.get(), 5)->phase, Phase::kNone);
  ASSERT_TRUE(base::PwriteAll(file.get(), EncodeSlot(FullSlot()), SlotOffset(5)).ok());
  EXPECT_EQ(ReadSlot(file.get(), 5)->attempt, 3u);
  EXPECT_EQ(ReadSlot(file.get(), 4)->phase, Phase::kNone);
  EXPECT_FALSE(ReadSlot(file.get(), 0).ok());
  ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(SlotOffset(5) + 3)), 0);
  EXPECT_EQ(ReadSlot(file.get(), 5).error().code(), base::Code::kDataLoss);
}

TEST(ExitFileTest, TellsWhoHoldsASlot) {
  const base::Fd file(::memfd_create("exits", MFD_CLOEXEC));
  int ready[2];
  int done[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(done, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_start = static_cast<off_t>(SlotOffset(2));
    lock.l_len = kSlotSize;
    ::fcntl(file.get(), F_SETLK, &lock);
    ::close(done[1]);
    char byte = 0;
    (void)!::write(ready[1], &byte, 1);
    (void)!::read(done[0], &byte, 1);
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(SlotHolder(file.get(), 2).value(), child);
  EXPECT_FALSE(SlotHolder(file.get(), 1)->has_value());
  EXPECT_FALSE(SlotHolder(file.get(), 3)->has_value());
  ::close(done[1]);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(SlotHolder(file.get(), 2)->has_value()) << "the lock ends with its holder";
  for (const int fd : {ready[0], ready[1], done[0]}) ::close(fd);
}

TEST(LogIndexTest, EveryFlippedBitIsFound) {
  const IndexBytes good = EncodeIndex({.time = 5, .offset = 6, .length = 7, .stream = Stream::kErr, .gap = true});
  for (size_t i = 0; i < kIndexRecordSize * 8; ++i) {
    IndexBytes bad = good;
    bad[i / 8] ^= static_cast<std::byte>(1 << (i % 8));
    EXPECT_FALSE(DecodeIndex(bad).ok());
  }
  EXPECT_FALSE(DecodeIndex(std::span(good).first(23)).ok());
  EXPECT_FALSE(DecodeIndex(IndexBytes{}).ok());
}

TEST(LogIndexTest, SurvivesTheRoundTrip) {
  for (const IndexRecord& record :
       {IndexRecord{.time = 3, .offset = 1, .length = 2, .stream = Stream::kErr, .gathered = true},
        IndexRecord{.time = -1, .offset = 0, .length = 0, .stream = Stream::kOut, .gap = false},
        IndexRecord{.time = 1ll << 62, .offset = (1ull << 56) - 1, .length = ~0u, .stream = Stream::kErr, .gap = true}}) {
    EXPECT_EQ(DecodeIndex(EncodeIndex(record)).value(), record);
  }
  EXPECT_EQ(OutName(12), "12.out");
  EXPECT_EQ(ErrName(12), "12.err");
  EXPECT_EQ(IndexName(12), "12.idx");
}

TEST(StepTest, EachHasItsOwnWords) {
  std::set<std::string_view> texts;
  for (uint16_t i = 0; i < static_cast<uint16_t>(Step::kCount); ++i) texts.insert(StepText(static_cast<Step>(i)));
  EXPECT_EQ(texts.size(), static_cast<size_t>(Step::kCount));
  EXPECT_EQ(StepText(Step::kEnterCgroup), "entering the cgroup");
  EXPECT_EQ(StepText(Step::kWorkdir), "changing to the working directory");
  EXPECT_EQ(StepText(Step::kExec), "executing the program");
  EXPECT_EQ(StepText(static_cast<Step>(999)), "unknown step");
}

}  // namespace
}  // namespace jobd::launch
