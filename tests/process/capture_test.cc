// Output: exact, in order, and whatever is dropped is counted.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "launch/contract/log_index.h"
#include "tests/process/harness/launcher_host.h"
#include "tests/support/require.h"

namespace jobd::process_test {
namespace {

using launch::IndexRecord;
using launch::SlotRecord;
using launch::Stream;

class CaptureTest : public testing::Test {
 protected:
  static std::vector<IndexRecord> Index(const Batch& batch) {
    std::vector<IndexRecord> records;
    const std::string bytes = batch.File("1.idx");
    EXPECT_EQ(bytes.size() % launch::kIndexRecordSize, 0u);
    for (size_t at = 0; at + launch::kIndexRecordSize <= bytes.size(); at += launch::kIndexRecordSize) {
      const auto record = launch::DecodeIndex(std::as_bytes(std::span(bytes).subspan(at, launch::kIndexRecordSize)));
      EXPECT_TRUE(record.ok());
      if (record.ok()) records.push_back(*record);
    }
    return records;
  }
  // Each stream's records follow each other without a hole, and their times never go back.
  static void ExpectWhole(const Batch& batch) {
    uint64_t next[3] = {0, 0, 0};
    base::Nanos time = 0;
    for (const IndexRecord& record : Index(batch)) {
      EXPECT_EQ(record.offset, next[static_cast<size_t>(record.stream)]);
      if (!record.gap) next[static_cast<size_t>(record.stream)] += record.length;
      EXPECT_GE(record.time, time);
      time = record.time;
    }
    EXPECT_EQ(next[1], batch.File("1.out").size());
    EXPECT_EQ(next[2], batch.File("1.err").size());
  }

  TempDir logs_;
  LauncherHost host_{{.log_dir = logs_.path()}};
  Batch batch_{logs_.path()};
};

TEST_F(CaptureTest, KeepsEveryByteOfBothStreams) {
  constexpr size_t kSize = 10'000'000;
  const SlotRecord record = RunToEnd(host_, batch_, batch_.Request({Payload("spew"), std::to_string(kSize)}));
  const std::string out = batch_.File("1.out");
  std::string err = batch_.File("1.err");
  ASSERT_EQ(out.size(), kSize);
  for (char& c : err) c = static_cast<char>(~c);
  EXPECT_TRUE(out == err);
  EXPECT_EQ(record.stdout_bytes, kSize);
  EXPECT_EQ(record.stderr_bytes, kSize);
  EXPECT_EQ(record.dropped_bytes, 0u);
  EXPECT_EQ(record.flags, 0u);
  ExpectWhole(batch_);
}

TEST_F(CaptureTest, KeepsALastLineWithoutNewline) {
  RunToEnd(host_, batch_, batch_.Request({"printf", "a\nb"}));
  EXPECT_EQ(batch_.File("1.out"), "a\nb");
  EXPECT_FALSE(batch_.Has("1.err"));
}

TEST_F(CaptureTest, CutsAtTheLimitAndCounts) {
  auto request = batch_.Request({Payload("spew"), "1000000"});
  request.limits.output_bytes = 300'001;
  const SlotRecord record = RunToEnd(host_, batch_, request);
  EXPECT_TRUE(record.exit.success()) << "the job is not held up, nor ended";
  EXPECT_EQ(batch_.File("1.out").size() + batch_.File("1.err").size(), 300'001u);
  EXPECT_EQ(record.dropped_bytes, 2'000'000u - 300'001u);
  EXPECT_EQ(record.flags, launch::kFlagOutputCut);
  uint64_t gaps = 0;
  for (const IndexRecord& r : Index(batch_)) gaps += r.gap ? r.length : 0;
  EXPECT_EQ(gaps, record.dropped_bytes);
  ExpectWhole(batch_);
}

TEST_F(CaptureTest, DoesNotOpenWhatWasPlanted) {
  ASSERT_EQ(::symlink("/etc/passwd", (batch_.path() + "/1.out").c_str()), 0);
  const SlotRecord record = RunToEnd(host_, batch_, batch_.Request({"echo", "text"}));
  EXPECT_EQ(record.flags, launch::kFlagLogDiskError);
  EXPECT_EQ(record.dropped_bytes, 5u);
}

TEST_F(CaptureTest, FilesBelongToTheServersAccount) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root");
  Batch batch(logs_.path(), 1, "owned");
  ASSERT_EQ(::chown(batch.path().c_str(), 65534, 65534), 0);
  ASSERT_EQ(::chown((logs_.path() + "/owner").c_str(), 65534, 65534), 0);
  ASSERT_EQ(::chown((batch.path() + "/exits").c_str(), 65534, 65534), 0);
  LauncherHost host({.log_dir = logs_.path(), .log_owner = {.switch_user = true, .uid = 65534, .gid = 65534}});
  RunToEnd(host, batch, batch.Request({"echo", "text"}));
  for (const char* name : {"1.out", "1.idx"}) {
    struct stat info {};
    ASSERT_EQ(::stat((batch.path() + "/" + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 65534u);
    EXPECT_EQ(info.st_mode & 07777, 0600u);
  }
}

// A disk of 1 MiB.
class FullDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    mounted_ = ::mount("jobd-test", logs_.path().c_str(), "tmpfs", 0, "size=1m,mode=0755") == 0;
    JOBD_REQUIRE(mounted_, "needs to mount a tmpfs");
  }
  void TearDown() override {
    if (mounted_) ::umount2(logs_.path().c_str(), MNT_DETACH);
  }
  bool mounted_ = false;
  TempDir logs_;
};

TEST_F(FullDiskTest, AJobIsNeverHeldUpAndEveryLostByteIsCounted) {
  LauncherHost host({.log_dir = logs_.path()});
  Batch batch(logs_.path());
  const SlotRecord record = RunToEnd(host, batch, batch.Request({Payload("spew"), "4000000"}));
  EXPECT_TRUE(record.exit.success());
  EXPECT_EQ(record.flags, launch::kFlagLogDiskError);
  EXPECT_EQ(record.stdout_bytes, batch.File("1.out").size());
  EXPECT_EQ(record.stderr_bytes, batch.File("1.err").size());
  EXPECT_EQ(record.stdout_bytes + record.stderr_bytes + record.dropped_bytes, 8'000'000u);
  EXPECT_GT(record.dropped_bytes, 0u);
}

TEST_F(FullDiskTest, OutputGoesOnWithAGapWhenThereIsRoomAgain) {
  LauncherHost host({.log_dir = logs_.path()});
  Batch batch(logs_.path());
  auto request =
      batch.Request({"sh", "-c", "echo before; read go; cat /dev/zero | head -c 100000; echo ready >&2; sleep 0.2; echo after"});
  // The filler takes the disk before the job writes its zeros.
  const base::Fd filler(::open((logs_.path() + "/filler").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  const std::string block(4096, 'x');
  while (::write(filler.get(), block.data(), block.size()) > 0) {
  }
  host.Send(launch::Launch{request});
  batch.AwaitSlot([](const SlotRecord& r) { return r.phase == launch::Phase::kEnded || r.phase == launch::Phase::kRunning; });
  ASSERT_EQ(::ftruncate(filler.get(), 0), 0);
  EXPECT_EQ(std::get<launch::ShimExited>(host.Receive()).key, request.key);
  const SlotRecord record = batch.Slot();
  EXPECT_EQ(record.stdout_bytes + record.stderr_bytes + record.dropped_bytes, 7u + 100'000 + 6 + 6);
}

}  // namespace
}  // namespace jobd::process_test
