#include "worker/launcher/local/exit_files.h"

#include <sys/stat.h>

#include "tests/unit/worker/launcher/local_launcher_fixture.h"

namespace jobd::worker::local_test {
namespace {

class ExitFilesTest : public ::testing::Test {
 protected:
  launch::SlotRecord Slot(uint32_t index) {
    const auto file = base::OpenBeneath(folder_.get(), launch::kExitFileName, O_RDONLY);
    const auto slot = file.ok() ? launch::ReadSlot(file->get(), index) : base::Result<launch::SlotRecord>(file.error());
    EXPECT_TRUE(slot.ok()) << slot.error().message();
    return slot.ok() ? *slot : launch::SlotRecord{};
  }

  test::TempDir dir_;
  const base::Fd log_dir_{::open(dir_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const BatchPlace place_{.batch = 1, .name = {"ann", "b"}, .job_count = 4};
  const std::unique_ptr<ExitFiles> files_ = *ExitFiles::Create(log_dir_.get());
  const ExitFiles::Made made_ = *files_->Make(place_, {});
  const base::Fd& folder_ = made_.folder;
};

TEST_F(ExitFilesTest, ASlotThatALaterAttemptUsesIsNotMarkedForAnEarlierOne) {
  const auto write = [&](uint32_t index, const launch::SlotRecord& record) {
    ASSERT_TRUE(base::PwriteAll(made_.file.get(), launch::EncodeSlot(record), launch::SlotOffset(index)).ok());
  };
  write(1, {.phase = launch::Phase::kEnded, .attempt = 3, .shim_pid = 9});
  write(2, {.phase = launch::Phase::kRunning, .attempt = 2, .shim_pid = 9});
  write(3, {.phase = launch::Phase::kEnded, .attempt = 1, .shim_pid = 9});
  std::vector<launch::JobKey> keys;
  for (uint32_t index = 1; index <= 4; ++index) keys.push_back({.batch = 1, .index = index, .attempt = 2});
  ASSERT_TRUE(files_->MarkBegun(place_, keys).ok());
  EXPECT_EQ(Slot(1).attempt, 3u) << "it has begun since";
  EXPECT_EQ(Slot(1).phase, launch::Phase::kEnded);
  EXPECT_EQ(Slot(2).phase, launch::Phase::kRunning) << "its own";
  EXPECT_EQ(Slot(3).attempt, 2u) << "an earlier one's";
  EXPECT_EQ(Slot(3).phase, launch::Phase::kBorn);
  EXPECT_EQ(Slot(4).phase, launch::Phase::kBorn);
}

TEST_F(ExitFilesTest, FaultH7WhatIsNoFileHoldsNobodyUp) {
  const std::filesystem::path stops = dir_ / "ann/b" / kStopsName;
  ASSERT_TRUE(files_->AppendStops(place_.name, "stop").ok());
  EXPECT_EQ(files_->ReadStops(place_.name), "stop");
  std::filesystem::remove(stops);
  ASSERT_EQ(::mkfifo(stops.c_str(), 0600), 0);
  EXPECT_EQ(files_->ReadStops(place_.name), "");
  EXPECT_FALSE(files_->AppendStops(place_.name, "stop").ok());
  std::filesystem::remove(stops);
  std::filesystem::create_directory(stops);
  EXPECT_EQ(files_->ReadStops(place_.name), "");
  std::filesystem::remove(stops);
  std::filesystem::create_symlink("/etc/passwd", stops);
  EXPECT_EQ(files_->ReadStops(place_.name), "");
}

}  // namespace
}  // namespace jobd::worker::local_test
