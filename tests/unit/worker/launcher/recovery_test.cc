// What a new process makes of the attempts of the one before: one test for each line of the table in recovery.cc, and its races.
#include <boost/crc.hpp>

#include "base/wire.h"
#include "tests/unit/worker/launcher/local_launcher_fixture.h"

namespace jobd::worker::local_test {
namespace {

using launch::ShimExited;
using launch::Sweep;
using launch::Swept;

class RecoveryTest : public LocalLauncherTest {
 protected:
  void SetUp() override { MakeExits(); }
  // The attempt is swept, and then Reconciled is sent.
  void ExpectSweep(uint32_t index) { EXPECT_EQ(Expect<Sweep>().key, Key(index)); }
};

TEST_F(RecoveryTest, AnEndWrittenWhileAwayIsToldAtOnce) {
  Write(1, Ended(4));
  ASSERT_TRUE(Recover({1}).ok());
  EXPECT_EQ(events_.told, (Told{"1 ended with 4", "1 released"}));
  Expect<launch::Reconciled>();
  ExpectNoFrame();
}

TEST_F(RecoveryTest, AnEndWhoseShimStillLivesIsReleasedWhenThatIsGone) {
  Write(1, Ended(4));
  const LockHolder shim(Exits(), 1);
  ASSERT_TRUE(shim.ok());
  ASSERT_TRUE(Recover({1}, false, true).ok());
  EXPECT_EQ(events_.told, Told{"1 ended with 4"});
  const auto frame = Expect<launch::Watch>();
  EXPECT_EQ(frame.key, Key(1));
  EXPECT_EQ(frame.owner, "ann");
  EXPECT_EQ(frame.correlation_id, "b");
  Expect<launch::Reconciled>();
  ExpectNoFrame();
  Send(ShimExited{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 ended with 4", "1 released"}));
}

TEST_F(RecoveryTest, ALivingShimIsWatchedAgain) {
  Write(1, Running());
  const LockHolder shim(Exits(), 1);
  const LockHolder unborn(Exits(), 2);
  ASSERT_TRUE(shim.ok() && unborn.ok());
  ASSERT_TRUE(Recover({1, 2}).ok());
  EXPECT_EQ(Expect<launch::Watch>().key, Key(1));
  EXPECT_EQ(Expect<launch::Watch>().key, Key(2));
  Expect<launch::Reconciled>();
  EXPECT_EQ(events_.told, Told{"1 started at 7"});
  Write(2, Running());
  Write(1, Ended(0));
  Send(ShimExited{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 started at 7", "1 ended with 0", "2 started at 7", "1 released"}));
}

TEST_F(RecoveryTest, AStopThatMayNotHaveBeenHandedOnIsRepeated) {
  const LockHolder shim(Exits(), 1);
  ASSERT_TRUE(shim.ok());
  ASSERT_TRUE(Recover({1}, false, true).ok());
  Expect<launch::Watch>();
  const auto frame = Expect<launch::CancelJob>();
  EXPECT_EQ(frame.key, Key(1));
  EXPECT_EQ(frame.grace, 3);
}

TEST_F(RecoveryTest, WhatProvablyNeverBeganIsNotStarted) {
  Write(2, Ended(1));  // of an earlier attempt than the second
  ASSERT_TRUE(launcher_->Recover({{.key = Key(2, 2), .place = Place()}, {.key = Key(1), .place = Place()}}, false).ok());
  ExpectSweep(1);
  EXPECT_EQ(Expect<Sweep>().key, Key(2, 2));
  Expect<launch::Reconciled>();
  EXPECT_EQ(events_.told, Told{});
  Send(Swept{Key(1)});
  Send(Swept{Key(2, 2)});
  EXPECT_EQ(AllTold(), (Told{"1 not started, passing", "1 released", "2 not started, passing", "2 released"}));
  Start(1);
}

// The last shim that jobd forked for the process before may get as far as its job between our look at the lock and the sweep.
TEST_F(RecoveryTest, WhatBeganAfterTheLookIsNotStartedAgain) {
  ASSERT_TRUE(Recover({1, 2, 3}).ok());
  WriteUnseen(1, Running());
  WriteUnseen(2, Ended(4));
  launch::SlotBytes garbage;
  garbage.fill(std::byte{7});
  WriteBytes(3, garbage);
  for (const uint32_t index : {1u, 2u, 3u}) Send(Swept{Key(index)});
  const Told& told = AllTold();
  EXPECT_EQ(std::count(told.begin(), told.end(), "1 lost: shim died"), 1);
  EXPECT_EQ(std::count(told.begin(), told.end(), "2 ended with 4"), 1);
  EXPECT_EQ(std::count(told.begin(), told.end(), "3 lost: record damaged"), 1);
  for (const std::string& line : told) EXPECT_EQ(line.find("not started"), std::string::npos) << line;
}

TEST_F(RecoveryTest, AShimOfOursThatHadNotLockedYetIsWaitedFor) {
  ASSERT_TRUE(Recover({1}).ok());
  ExpectSweep(1);
  Write(1, Running());
  EXPECT_EQ(AllTold(), Told{"1 started at 7"});
  Write(1, Ended(0));
  Send(ShimExited{Key(1)});
  Send(Swept{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 started at 7", "1 ended with 0", "1 released"}));
}

TEST_F(RecoveryTest, AJobWhoseShimIsGoneIsLost) {
  Write(1, Born());
  Write(2, Running());
  ASSERT_TRUE(Recover({1, 2}).ok());
  ExpectSweep(1);
  ExpectSweep(2);
  Send(Swept{Key(1)});
  Send(Swept{Key(2)});
  EXPECT_EQ(AllTold(), (Told{"1 lost: shim died", "1 released", "2 started at 7", "2 lost: shim died", "2 released"}));
}

TEST_F(RecoveryTest, ARecordThatCannotBeReadIsLost) {
  const auto record = launch::EncodeSlot(Ended(0));
  WriteBytes(1, std::span(record).first(128));
  ASSERT_TRUE(Recover({1}).ok());
  ExpectSweep(1);
  Send(Swept{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 lost: record damaged", "1 released"}));
}

TEST_F(RecoveryTest, AnotherBootMakesUnaccountedJobsLost) {
  Write(2, Running());
  Write(3, Ended(4));
  ASSERT_TRUE(Recover({1, 2, 3}, true).ok());
  EXPECT_EQ(events_.told, (Told{"3 ended with 4", "3 released"}));
  ExpectSweep(1);
  ExpectSweep(2);
  Expect<launch::Reconciled>();
  Send(Swept{Key(1)});
  Send(Swept{Key(2)});
  EXPECT_EQ(AllTold(), (Told{"3 ended with 4", "3 released", "2 started at 7", "1 lost: host restarted", "1 released",
                             "2 lost: host restarted", "2 released"}));
}

// The process before this one knew of the other boot, has recorded that it is over, and died before it had recorded what was lost.
TEST_F(RecoveryTest, FaultSecondRestartAfterAPowerFailureDoesNotStartItsJobsAgain) {
  Write(2, Ended(1));  // of an earlier attempt than the second
  const std::vector<Launcher::Earlier> earlier{{.key = Key(1), .place = Place()}, {.key = Key(2, 2), .place = Place()}};
  ASSERT_TRUE(launcher_->Recover(earlier, true).ok());
  Restart();
  ASSERT_TRUE(launcher_->Recover(earlier, false).ok());
  Send(Swept{Key(1)});
  Send(Swept{Key(2, 2)});
  EXPECT_EQ(AllTold(), (Told{"1 lost: record damaged", "1 released", "2 lost: record damaged", "2 released"}));
}

class DamagedFileTest : public RecoveryTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void Damage() {
    const std::string how = GetParam();
    std::filesystem::remove(Exits());
    if (how == "folder gone") std::filesystem::remove_all(Exits().parent_path());
    if (how == "cut short" || how == "empty") {
      const base::Fd file(::open(Exits().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0640));
      const auto record = launch::EncodeSlot(Attempt(1, Ended(0)));
      const size_t left = how == "cut short" ? 3 : 0;
      ASSERT_TRUE(base::PwriteAll(file.get(), std::span(record).first(left), 0).ok());
    }
  }
};

TEST_P(DamagedFileTest, LosesItsJobs) {
  Damage();
  ASSERT_TRUE(Recover({1, 8}).ok());
  ExpectSweep(1);
  ExpectSweep(8);
  Send(Swept{Key(1)});
  Send(Swept{Key(8)});
  EXPECT_EQ(AllTold(), (Told{"1 lost: record damaged", "1 released", "8 lost: record damaged", "8 released"}));
  Expect<launch::Reconciled>();
  ASSERT_TRUE(Open(Place()).ok());
  Start(1, 2);  // the file is whole again
  const auto slot = launch::ReadSlot(base::Fd(::open(Exits().c_str(), O_RDONLY | O_CLOEXEC)).get(), 1);
  ASSERT_TRUE(slot.ok()) << "what cannot be read would keep the next attempt from starting";
  EXPECT_LT(slot->attempt, 2u);
}

// The process before this one made the file whole, and died before it had recorded what was lost.
TEST_P(DamagedFileTest, FaultSecondRestartDoesNotStartItsJobsAgain) {
  Damage();
  ASSERT_TRUE(Recover({1, 8}).ok());
  Send(Swept{Key(1)});
  Send(Swept{Key(8)});
  AllTold();
  ASSERT_TRUE(Open(Place()).ok());
  Restart();
  ASSERT_TRUE(Recover({1, 8}).ok());
  Send(Swept{Key(1)});
  Send(Swept{Key(8)});
  EXPECT_EQ(AllTold(), (Told{"1 lost: record damaged", "1 released", "8 lost: record damaged", "8 released"}));
}

// Its shim lives: jobd says so when that is gone, before it answers the sweep.
TEST_P(DamagedFileTest, FaultD22WhatRunsIsCancelledAndLostWhenItEnds) {
  Damage();
  ASSERT_TRUE(Recover({1}, false, true).ok());
  ExpectSweep(1);
  EXPECT_EQ(Expect<launch::CancelJob>().key, Key(1));
  Expect<launch::Reconciled>();
  ASSERT_TRUE(launcher_->Cancel(Key(1), 5).ok());
  EXPECT_EQ(Expect<launch::CancelJob>().grace, 5);
  EXPECT_EQ(AllTold(), Told{});
  Send(ShimExited{Key(1)});
  Send(Swept{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 lost: record damaged", "1 released"}));
}

INSTANTIATE_TEST_SUITE_P(Ways, DamagedFileTest, ::testing::Values("missing", "folder gone", "empty", "cut short"));

TEST_F(RecoveryTest, FaultD22AnEmptySlotOfAJobThatRanIsNotStartedAgain) {
  ASSERT_TRUE(Recover({1}).ok());  // the file is an older copy
  ExpectSweep(1);
  Send(ShimExited{Key(1)});
  Send(Swept{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 lost: record damaged", "1 released"}));
}

// What is not mounted is named, and nothing is started below it, until what runs is over.
TEST_F(RecoveryTest, FaultD22AMissingFolderIsNamedAndNothingIsStartedMeanwhile) {
  std::filesystem::remove_all(dir_ / "ann");
  ASSERT_TRUE(Recover({1}).ok());
  EXPECT_EQ(launcher_->FindProblem(), "without the records of 1 job that runs (is it mounted? was it emptied or replaced?)");
  const base::Status opened = Open({.batch = 6, .name = {"ann", "c"}, .job_count = 1});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), base::Code::kResourceExhausted);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "ann"));
  Send(ShimExited{Key(1)});
  Send(Swept{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 lost: record damaged", "1 released"}));
  EXPECT_EQ(launcher_->FindProblem(), "");
  EXPECT_TRUE(Open({.batch = 6, .name = {"ann", "c"}, .job_count = 1}).ok());
}

TEST_F(RecoveryTest, WhatIsNoFileAtAllLosesItsJobsAndStopsNothing) {
  std::filesystem::remove(Exits());
  std::filesystem::create_directories(Exits());
  ASSERT_TRUE(Recover({1}).ok());
  ExpectSweep(1);
  Send(Swept{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 lost: record damaged", "1 released"}));
  EXPECT_FALSE(Open(Place()).ok());
}

TEST_F(RecoveryTest, ARecordOfALaterVersionChangesNothing) {
  // FORMAT.md: the version and the check keep their places in every version.
  auto later = launch::EncodeSlot(Ended(4));
  base::StoreLittle<uint16_t>(std::span(later).subspan(4), launch::kSlotVersion + 1);
  boost::crc_32_type crc;
  crc.process_bytes(later.data(), 252);
  base::StoreLittle<uint32_t>(std::span(later).subspan(252), crc.checksum());
  WriteBytes(3, later);
  Write(1, Ended(0));
  const BatchPlace other{.batch = 4, .name = {"ann", "without-a-file"}, .job_count = 1};
  const base::Status recovered = launcher_->Recover({{.key = {.batch = 4, .index = 1, .attempt = 1}, .place = other},
                                                     {.key = Key(1), .place = Place()},
                                                     {.key = Key(2), .place = Place()},
                                                     {.key = Key(3), .place = Place()}},
                                                    false);
  ASSERT_FALSE(recovered.ok());
  EXPECT_EQ(recovered.error().code(), base::Code::kFailedPrecondition);
  EXPECT_EQ(recovered.error().message(), "exit record of version 2, newer than ours");
  EXPECT_EQ(events_.told, Told{});
  EXPECT_FALSE(std::filesystem::exists(dir_ / "ann/without-a-file"));
  ExpectNoFrame();
}

TEST_F(RecoveryTest, FramesForTheServerBeforeAreNotTakenForOurAnswers) {
  Write(1, Ended(0));
  Send(Swept{Key(1)});
  Send(ShimExited{Key(2)});
  ASSERT_TRUE(Recover({1}).ok());
  EXPECT_EQ(AllTold(), (Told{"1 ended with 0", "1 released"}));
}

}  // namespace
}  // namespace jobd::worker::local_test
