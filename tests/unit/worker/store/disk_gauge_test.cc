// How much room there is on the disks.
#include "worker/store/disk_gauge.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/temp_dir.h"

namespace jobd::worker {
namespace {

class DiskGaugeTest : public ::testing::Test {
 protected:
  test::TempDir dir_;
  base::Fd state_ = dir_.Open("state");
  base::Fd logs_ = dir_.Open("logs");
};

TEST_F(DiskGaugeTest, SaysWhatBothDisksHave) {
  DiskGauge gauge(state_.get(), logs_.get());
  const auto disks = gauge.Measure();
  EXPECT_EQ(disks[0].name, "state");
  EXPECT_EQ(disks[1].name, "log");
  for (const DiskStatus& disk : disks) {
    EXPECT_TRUE(disk.accepting) << disk.problem;
    EXPECT_GT(disk.free_bytes, 0u);
    EXPECT_GE(disk.total_bytes, disk.free_bytes);
  }
}

TEST_F(DiskGaugeTest, ANewBoundHoldsAtOnce) {
  DiskGauge gauge(state_.get(), logs_.get());
  ASSERT_TRUE(gauge.Measure()[0].accepting);
  gauge.SetMinFreeBytes(std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(gauge.Measure()[0].problem, "almost full");
  EXPECT_FALSE(gauge.Measure()[1].accepting);
  gauge.SetMinFreeBytes(0);
  EXPECT_TRUE(gauge.Measure()[1].accepting);
}

TEST_F(DiskGaugeTest, SaysHowTheDisksAreNow) {
  base::Fd state = dir_.Open("state");
  const DiskGauge gauge(state.get(), logs_.get());
  ASSERT_TRUE(gauge.Measure()[0].accepting);
  state.reset();  // from now on asking fails
  EXPECT_EQ(gauge.Measure()[0].problem, "failing");
  EXPECT_FALSE(gauge.Measure()[0].accepting);
  EXPECT_TRUE(gauge.Measure()[1].accepting);
}

}  // namespace
}  // namespace jobd::worker
