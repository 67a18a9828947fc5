// Every end of an attempt that this process started, and every race between a slot, an event and a frame.
#include "tests/unit/worker/launcher/local_launcher_fixture.h"

namespace jobd::worker::local_test {
namespace {

using launch::EndCause;
using launch::Phase;
using launch::ShimExited;
using launch::Step;
using launch::Swept;

launch::SlotRecord SetupFailed(Step step, int why) {
  return {.phase = Phase::kEnded, .attempt = 1, .cause = EndCause::kSetupFailed, .step = step, .step_errno = why};
}

TEST_F(LocalLauncherTest, EachStepOfAnAttemptIsToldOnce) {
  Begin();
  Start(1);
  Write(1, Born());
  EXPECT_EQ(AllTold(), Told{});
  Write(1, Running());
  EXPECT_EQ(AllTold(), Told{"1 started at 7"});
  Write(1, Running());
  Write(1, Ended(4));
  EXPECT_EQ(AllTold(), (Told{"1 started at 7", "1 ended with 4"}));
  Write(1, Ended(4));
  Send(ShimExited{Key(1)});
  Send(ShimExited{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 started at 7", "1 ended with 4", "1 released"}));
  ExpectNoFrame();
}

TEST_F(LocalLauncherTest, AnEndThatIsSeenWithItsStartIsToldAlone) {
  Begin();
  Start(1);
  Write(1, Running());
  Write(1, Ended(0));
  EXPECT_EQ(AllTold(), Told{"1 ended with 0"});
}

// As where the user's inotify limits are used up.
TEST_F(LocalLauncherTest, AnEndThatNoEventTellsOfIsSeenWhenTheShimIsGone) {
  Begin();
  Start(1);
  WriteUnseen(1, Ended(4));
  EXPECT_EQ(AllTold(), Told{});
  Send(ShimExited{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 ended with 4", "1 released"}));
}

TEST_F(LocalLauncherTest, OneEventTellsOfEveryAttemptOfTheBatch) {
  job_count_ = 700;
  Begin();
  for (const uint32_t index : {1u, 2u, 3u, 300u, 700u}) Start(index);
  for (const uint32_t index : {1u, 3u, 300u}) WriteUnseen(index, Ended(0));
  Write(700, Ended(1));
  EXPECT_EQ(AllTold(), (Told{"1 ended with 0", "3 ended with 0", "300 ended with 0", "700 ended with 1"}));
}

TEST_F(LocalLauncherTest, AMachineWithoutAProcessUsesUpTheNumberAndIsNoFaultOfTheJob) {
  Begin();
  for (const auto& [index, why] : {std::pair{1u, EAGAIN}, std::pair{2u, ENOMEM}}) {
    events_.told.clear();
    Start(index);
    Write(index, SetupFailed(Step::kClone, why));
    Send(ShimExited{Key(index)});
    const std::string job = std::to_string(index);
    EXPECT_EQ(AllTold(), (Told{job + " not started, passing, number used", job + " released"}));
  }
}

TEST_F(LocalLauncherTest, FaultWhatTheMachineLacksAtAnyStepIsNoEndOfTheJob) {
  job_count_ = 8;
  Begin();
  uint32_t index = 0;
  for (const auto& [step, why] :
       {std::pair{Step::kNamespaces, EAGAIN}, std::pair{Step::kNamespaces, ENOSPC}, std::pair{Step::kPipes, EMFILE},
        std::pair{Step::kCgroup, ENOSPC}, std::pair{Step::kMounts, ENOMEM}, std::pair{Step::kUser, EAGAIN},
        std::pair{Step::kExec, ENFILE}}) {
    events_.told.clear();
    Start(++index);
    Write(index, SetupFailed(step, why));
    EXPECT_EQ(AllTold(), Told{std::to_string(index) + " not started, passing, number used"}) << launch::StepText(step);
  }
}

TEST_F(LocalLauncherTest, FaultWhatItsOwnLimitsKeepItFromIsAnEnd) {
  Begin();
  Start(1);
  Start(2);
  launch::SlotRecord own = SetupFailed(Step::kMounts, ENOMEM);
  own.flags = launch::kFlagMemoryLimitHit;
  Write(1, own);
  Write(2, SetupFailed(Step::kExec, EAGAIN));
  EXPECT_EQ(AllTold(), (Told{"1 ended with 0", "2 ended with 0"}));
}

TEST_F(LocalLauncherTest, AnotherStepThatFailedIsAnEnd) {
  Begin();
  Start(1);
  Start(2);
  Write(1, SetupFailed(Step::kExec, ENOENT));
  Write(2, SetupFailed(Step::kClone, EPERM));
  EXPECT_EQ(AllTold(), (Told{"1 ended with 0", "2 ended with 0"}));
}

TEST_F(LocalLauncherTest, AShimThatDiesWithoutAnEndIsSweptUpAfter) {
  Begin();
  Start(1);
  Write(1, Running());
  Send(ShimExited{Key(1)});
  EXPECT_EQ(AllTold(), Told{"1 started at 7"});
  EXPECT_EQ(Expect<launch::Sweep>().key, Key(1));
  Send(ShimExited{Key(1)});
  EXPECT_EQ(AllTold(), Told{"1 started at 7"}) << "only the sweep's answer says that nothing is left";
  Send(Swept{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 started at 7", "1 lost: shim died", "1 released"}));
  ExpectNoFrame();
}

TEST_F(LocalLauncherTest, AShimThatDiesInTheMiddleOfItsRecordIsLostForThat) {
  Begin();
  Start(1);
  const auto record = launch::EncodeSlot(Ended(0));
  WriteBytes(1, std::span(record).first(128));
  Send(ShimExited{Key(1)});
  Settle();
  Expect<launch::Sweep>();
  Send(Swept{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 lost: record damaged", "1 released"}));
}

TEST_F(LocalLauncherTest, AnEndThatIsWrittenBetweenTheLookAndTheSweepCounts) {
  Begin();
  Start(1);
  Start(2);
  for (const uint32_t index : {1u, 2u}) {
    Send(ShimExited{Key(index)});
    Settle();
    EXPECT_EQ(Expect<launch::Sweep>().key, Key(index));
  }
  Write(1, Ended(3));  // seen by its event
  Settle();
  WriteUnseen(2, Ended(4));  // seen by the look after the sweep
  Send(Swept{Key(1)});
  Send(Swept{Key(2)});
  EXPECT_EQ(AllTold(), (Told{"1 ended with 3", "1 released", "2 ended with 4", "2 released"}));
}

TEST_F(LocalLauncherTest, ATornSlotIsReadAgainWhenItIsWhole) {
  Begin();
  Start(1);
  const auto record = launch::EncodeSlot(Ended(4));
  WriteBytes(1, std::span(record).first(128));
  EXPECT_EQ(AllTold(), Told{});
  WriteBytes(1, record);
  EXPECT_EQ(AllTold(), Told{"1 ended with 4"});
}

TEST_F(LocalLauncherTest, AFileThatIsCutShortWhileJobsRunLosesThemWhenTheirShimsAreGone) {
  Begin();
  Start(8);
  Write(8, Running());
  Settle();
  std::filesystem::resize_file(Exits(), 3);
  Start(1);
  Write(1, Running());
  Send(ShimExited{Key(8)});
  Settle();
  Expect<launch::Sweep>();
  Send(Swept{Key(8)});
  EXPECT_EQ(AllTold(), (Told{"8 started at 7", "1 started at 7", "8 lost: shim died", "8 released"}));
}

TEST_F(LocalLauncherTest, ARefusalIsForGoodOrPasses) {
  Begin();
  Start(1);
  Start(2);
  Send(launch::Refused{.key = Key(1), .retry = true, .text = "forking the shim: no process"});
  Send(launch::Refused{.key = Key(2), .policy = true, .text = "running as root is not allowed"});
  EXPECT_EQ(AllTold(), (Told{"1 not started, passing", "1 released", "2 not started, for good: running as root is not allowed",
                             "2 released"}));
}

// After a restored backup a number may have been used before.
TEST_F(LocalLauncherTest, AStartThatIsRefusedBecauseItHasBegunIsWhatItsRecordSays) {
  Begin();
  WriteUnseen(1, Ended(4));
  WriteUnseen(2, Running());
  Start(1);
  Start(2);
  for (const uint32_t index : {1u, 2u}) Send(launch::Refused{.key = Key(index), .text = "has begun before"});
  EXPECT_EQ(AllTold(), (Told{"1 ended with 4", "1 released", "2 started at 7", "2 lost: shim died", "2 released"}));
}

TEST_F(LocalLauncherTest, FaultRefusalAfterANeighbourShowedTheOldRecordReleasesTheJob) {
  Begin();
  WriteUnseen(1, Ended(4));
  Start(1);
  Start(2);
  Write(2, Running());  // its event has the slot of job 1 read too
  EXPECT_EQ(AllTold(), (Told{"1 ended with 4", "2 started at 7"}));
  Send(launch::Refused{.key = Key(1), .text = "has begun before"});
  EXPECT_EQ(AllTold(), (Told{"1 ended with 4", "2 started at 7", "1 released"}));
}

TEST_F(LocalLauncherTest, WhatIsAboutAnotherAttemptIsIgnored) {
  Begin();
  Start(1, 2);
  Write(1, Ended(4));  // of attempt 1
  Send(ShimExited{Key(1)});
  Send(Swept{Key(1)});
  Send(launch::Refused{.key = Key(1), .text = "no"});
  for (const launch::LauncherFrame& frame : {launch::LauncherFrame(ShimExited{Key(3)}), launch::LauncherFrame(Swept{Key(3)}),
                                             launch::LauncherFrame(launch::Refused{.key = Key(3)}),
                                             launch::LauncherFrame(ShimExited{{.batch = 6, .index = 1, .attempt = 1}})}) {
    Send(frame);
  }
  EXPECT_EQ(AllTold(), Told{});
  Write(1, Attempt(2, Ended(0)));
  EXPECT_EQ(AllTold(), Told{"1 ended with 0"});
  ExpectNoFrame();
}

TEST_F(LocalLauncherTest, ASweepThatWasNotAskedForSaysNothing) {
  Begin();
  Start(1);
  Send(Swept{Key(1)});
  EXPECT_EQ(AllTold(), Told{});
  Write(1, Ended(0));
  Send(Swept{Key(1)});
  EXPECT_EQ(AllTold(), Told{"1 ended with 0"}) << "its shim still lives";
}

TEST_F(LocalLauncherTest, TheNextAttemptStartsWhenTheLastIsReleasedAndNotBefore) {
  Begin();
  EXPECT_EQ(launcher_->Start({.key = {.batch = 6, .index = 1, .attempt = 1}}).error().code(), base::Code::kFailedPrecondition)
      << "its batch is not open";
  Start(1);
  Write(1, Ended(1));
  Settle();
  EXPECT_EQ(launcher_->Start({.key = Key(1, 2)}).error().code(), base::Code::kAlreadyExists);
  events_.on_released = [this](launch::JobKey key) { Start(key.index, key.attempt + 1); };
  Send(ShimExited{Key(1)});
  Settle();
  events_.on_released = nullptr;
  Write(1, Attempt(2, Ended(0)));
  EXPECT_EQ(AllTold(), (Told{"1 ended with 1", "1 released", "1 ended with 0"}));
}

TEST_F(LocalLauncherTest, ASignalReachesWhatHasAProgram) {
  Begin();
  Start(1);
  Write(1, Born());
  EXPECT_EQ(launcher_->Signal(Key(1), SIGUSR1).error().code(), base::Code::kFailedPrecondition);
  EXPECT_EQ(launcher_->Signal(Key(2), SIGUSR1).error().code(), base::Code::kFailedPrecondition);
  ExpectNoFrame();
  WriteUnseen(1, Running());  // we have not been told yet
  EXPECT_TRUE(launcher_->Signal(Key(1), SIGUSR1).ok());
  const auto frame = Expect<launch::SignalJob>();
  EXPECT_EQ(frame.key, Key(1));
  EXPECT_EQ(frame.signal, SIGUSR1);
  EXPECT_EQ(events_.told, Told{"1 started at 7"});
  WriteUnseen(1, Ended(0));
  EXPECT_EQ(launcher_->Signal(Key(1), SIGUSR1).error().code(), base::Code::kFailedPrecondition);
  EXPECT_EQ(events_.told, (Told{"1 started at 7", "1 ended with 0"}));
  ExpectNoFrame();
}

TEST_F(LocalLauncherTest, ACancelReachesWhatHasNotEnded) {
  Begin();
  Start(1);
  EXPECT_TRUE(launcher_->Cancel(Key(1), 3).ok());
  const auto frame = Expect<launch::CancelJob>();
  EXPECT_EQ(frame.key, Key(1));
  EXPECT_EQ(frame.grace, 3);
  EXPECT_TRUE(launcher_->Cancel(Key(2), 3).ok());
  Write(1, Ended(0));
  Settle();
  EXPECT_TRUE(launcher_->Cancel(Key(1), 3).ok());
  ExpectNoFrame();
}

TEST_F(LocalLauncherTest, ABatchIsOpenedOnceAndAgainWhenItWasClosed) {
  Begin();
  EXPECT_TRUE(Open(Place()).ok());
  Start(1);
  launcher_->Close(5);  // an attempt of it lives: ignored
  Write(1, Ended(0));
  Send(ShimExited{Key(1)});
  EXPECT_EQ(AllTold(), (Told{"1 ended with 0", "1 released"}));
  launcher_->Close(5);
  EXPECT_EQ(launcher_->Start({.key = Key(2)}).error().code(), base::Code::kFailedPrecondition);
  EXPECT_TRUE(Open(Place()).ok());
  Start(2);
}

TEST_F(LocalLauncherTest, ABatchWhoseFolderCannotBeMadeSaysWhy) {
  Begin();
  std::filesystem::create_directories(dir_ / "bob");
  base::Fd in_the_way(::open((dir_ / "bob/c").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  const base::Status opened = Open({.batch = 6, .name = {"bob", "c"}, .job_count = 1});
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().code(), base::Code::kResourceExhausted);
  EXPECT_NE(opened.error().sys_errno(), 0);
  in_the_way.reset();
  std::filesystem::remove(dir_ / "bob/c");
  EXPECT_TRUE(Open({.batch = 6, .name = {"bob", "c"}, .job_count = 1}).ok());
}

TEST_F(LocalLauncherTest, ANewBatchDoesNotTakeTheRecordsOfAnotherOfItsId) {
  Begin();
  BatchPlace place{.batch = 6, .name = {"bob", "c"}, .job_count = 1000};
  ASSERT_TRUE(Open(place).ok());
  const base::Fd exits(::open((dir_ / "bob/c/exits").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(base::PwriteAll(exits.get(), launch::EncodeSlot(Ended(0)), launch::SlotOffset(900)).ok());
  place.batch = 7;
  // As written a while ago: making room for more jobs is not to make it look new.
  constexpr timespec kAgo{.tv_sec = 1'000'000, .tv_nsec = 0};
  const std::array<timespec, 2> ago{kAgo, kAgo};
  ASSERT_EQ(::futimens(exits.get(), ago.data()), 0);
  place.untouched_since = 2 * kAgo.tv_sec * base::kNanosPerSecond;
  const base::Status opened = Open(place);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), base::Code::kDataLoss);
  place.job_count = 2000;
  EXPECT_EQ(Open(place).error().code(), base::Code::kDataLoss) << "nor when it has more jobs";
  place.job_count = 1000;
  // Its own: written after it was submitted, though the database, which was restored, knows of no start.
  place.untouched_since = 1;
  EXPECT_TRUE(Open(place).ok());
}

TEST_F(LocalLauncherTest, ANewBatchTakesAFolderWithoutRecords) {
  constexpr base::Nanos kLater = int64_t{4'000'000'000} * base::kNanosPerSecond;
  Begin();
  ASSERT_TRUE(Open({.batch = 6, .name = {"bob", "c"}, .job_count = 1000}).ok());
  EXPECT_TRUE(Open({.batch = 7, .name = {"bob", "c"}, .job_count = 1000, .untouched_since = kLater}).ok());
}

TEST_F(LocalLauncherTest, PingsGoThroughTheLoopOnceItCanBeExpectedToRun) {
  Send(launch::Ping{});
  Expect<launch::Alive>();
  EXPECT_EQ(events_.pings, 0);
  Begin();
  Send(launch::Ping{});
  while (events_.pings == 0) loop_->Turn();
  ExpectNoFrame();
}

TEST_F(LocalLauncherTest, NothingIsToldAfterDetach) {
  Begin();
  Start(1);
  launcher_->Detach();
  EXPECT_EQ(loop_->watched(), 0u);
  Write(1, Ended(0));
  Send(ShimExited{Key(1)});
  Send(launch::Ping{});
  Expect<launch::Alive>();  // the connection's own answer, behind the frame before it
  EXPECT_EQ(events_.told, Told{});
  EXPECT_EQ(events_.pings, 0);
}

TEST_F(LocalLauncherTest, CapabilitiesAreThoseInForceAndNotThoseOfTheFilesThatWereRead) {
  EXPECT_TRUE(launcher_->Capabilities().profiles.empty());
  const launch::Capabilities read{.profiles = {{.name = "strict"}}, .missing_limits = {}};
  Send(launch::Files{.names = {}, .error = "", .capabilities = read});
  const auto given = connection_->ReadFiles();
  ASSERT_TRUE(given.ok());
  EXPECT_EQ(given->capabilities, read);
  EXPECT_TRUE(launcher_->Capabilities().profiles.empty());
  launcher_->UseCapabilities(given->capabilities);
  EXPECT_EQ(launcher_->Capabilities(), read);
}

}  // namespace
}  // namespace jobd::worker::local_test
