// The parts of a shim that need no process: when to stop, what to run, which uid.
#include <gtest/gtest.h>

#include <limits>

#include "launch/shim/spawn.h"
#include "launch/shim/stop_schedule.h"

namespace jobd::launch {
namespace {

using Action = StopSchedule::Action;

TEST(StopScheduleTest, NothingIsDueByItself) {
  StopSchedule schedule;
  schedule.Started(100, 0, 10);
  EXPECT_EQ(schedule.Due(std::numeric_limits<base::Nanos>::max()), Action::kNone);
  EXPECT_FALSE(schedule.Next().has_value());
  EXPECT_EQ(schedule.cause(), EndCause::kSelf);
}

TEST(StopScheduleTest, TimeoutIsTermThenKill) {
  StopSchedule schedule;
  schedule.Started(100, 50, 10);
  EXPECT_EQ(schedule.Next(), 150);
  EXPECT_EQ(schedule.Due(149), Action::kNone);
  EXPECT_EQ(schedule.Due(151), Action::kTerminate);
  EXPECT_EQ(schedule.cause(), EndCause::kTimeout);
  EXPECT_EQ(schedule.Next(), 161);
  EXPECT_EQ(schedule.Due(160), Action::kNone);
  EXPECT_EQ(schedule.Due(161), Action::kKill);
  EXPECT_EQ(schedule.Due(999), Action::kNone) << "each comes once";
  EXPECT_FALSE(schedule.Next().has_value());
}

TEST(StopScheduleTest, ACancelMayComeBeforeTheStart) {
  StopSchedule schedule;
  schedule.Cancel(10, 5);
  EXPECT_EQ(schedule.Due(10), Action::kTerminate);
  schedule.Started(12, 100, 100);
  EXPECT_EQ(schedule.Due(15), Action::kKill);
  EXPECT_EQ(schedule.cause(), EndCause::kCancel);
}

TEST(StopScheduleTest, AnotherCancelOnlyShortens) {
  StopSchedule schedule;
  schedule.Started(0, 0, 0);
  schedule.Cancel(10, 100);
  EXPECT_EQ(schedule.Due(10), Action::kTerminate);
  schedule.Cancel(20, 1000);
  EXPECT_EQ(schedule.Next(), 110);
  schedule.Cancel(30, 5);
  EXPECT_EQ(schedule.Next(), 35);
  EXPECT_EQ(schedule.Due(35), Action::kKill);
}

TEST(StopScheduleTest, FaultD25WhatCouldNotBeDoneIsDueAgain) {
  StopSchedule schedule;
  schedule.Started(0, 10, base::kNanosPerSecond);
  EXPECT_EQ(schedule.Due(10), Action::kTerminate);
  schedule.Retry(Action::kTerminate, 10);
  EXPECT_EQ(schedule.Due(11), Action::kNone);
  ASSERT_TRUE(schedule.Next().has_value());
  EXPECT_EQ(schedule.Due(*schedule.Next()), Action::kTerminate);
  const auto kill = schedule.Next();
  ASSERT_TRUE(kill.has_value());
  EXPECT_EQ(*kill, base::kNanosPerSecond + 10) << "TERM twice gives no more time";
  EXPECT_EQ(schedule.Due(*kill), Action::kKill);
  schedule.Retry(Action::kKill, *kill);
  ASSERT_TRUE(schedule.Next().has_value());
  EXPECT_EQ(schedule.Due(*schedule.Next()), Action::kKill);
  EXPECT_EQ(schedule.cause(), EndCause::kTimeout);
}

TEST(StopScheduleTest, FaultF11ATermThatIsRefusedIsTriedAFewTimesAndAKillForEver) {
  StopSchedule schedule;
  schedule.Started(0, 10, 10 * base::kNanosPerSecond);
  int terms = 0;
  base::Nanos now = 10;
  Action due = schedule.Due(now);
  for (; due == Action::kTerminate; due = schedule.Due(now)) {
    ++terms;
    schedule.Retry(due, now, false);
    ASSERT_TRUE(schedule.Next().has_value());
    now = *schedule.Next();
  }
  EXPECT_EQ(terms, 4) << "those that can be told are told each time";
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(due, Action::kKill) << i;
    schedule.Retry(due, now, false);
    now = *schedule.Next();
    due = schedule.Due(now);
  }
}

TEST(StopScheduleTest, TheFirstReasonIsTheOneTold) {
  StopSchedule schedule;
  schedule.Started(0, 10, 1000);
  EXPECT_EQ(schedule.Due(10), Action::kTerminate);
  schedule.Cancel(20, 5);
  EXPECT_EQ(schedule.cause(), EndCause::kTimeout);
  EXPECT_EQ(schedule.Due(25), Action::kKill) << "and yet it ends as soon as was asked for";
}

TEST(StopScheduleTest, EndlessDelaysDoNotOverflow) {
  constexpr base::Nanos kMax = std::numeric_limits<base::Nanos>::max();
  StopSchedule schedule;
  schedule.Started(1000, kMax, kMax);
  EXPECT_EQ(schedule.Due(2000), Action::kNone);
  schedule.Cancel(2000, kMax);
  EXPECT_EQ(schedule.Due(2000), Action::kTerminate);
  EXPECT_EQ(schedule.Due(3000), Action::kNone);
}

TEST(ProgramCandidatesTest, SearchesAsExecvpeDoes) {
  using List = std::vector<std::string>;
  EXPECT_EQ(ProgramCandidates("", "/bin"), List{});
  EXPECT_EQ(ProgramCandidates("./x", "/bin"), List{"./x"});
  EXPECT_EQ(ProgramCandidates("x", "/bin:/usr/bin"), (List{"/bin/x", "/usr/bin/x"}));
  EXPECT_EQ(ProgramCandidates("x", ":/bin:"), (List{"./x", "/bin/x", "./x"}));
  EXPECT_EQ(ProgramCandidates("x", ""), List{"./x"});
}

TEST(JobEnvironmentTest, OursCannotBeForgedAndTheLastOfANameWins) {
  LaunchRequest request;
  request.key = {1, 4, 2};
  request.correlation_id = "id";
  request.env = {{"A", "1"}, {"JOBD_JOB_ID", "other/1"}, {"A", "2"}};
  std::vector<std::string> expected{"A=2", "JOBD_JOB_ID=id/4", "JOBD_BATCH_ID=id", "JOBD_INDEX=4", "JOBD_ATTEMPT=2"};
  EXPECT_EQ(JobEnvironment(request, ""), expected);
  request.env.emplace_back("JOBD_GROUP", "job-9-4-2");
  expected.push_back("JOBD_GROUP=job-1-4-2");
  EXPECT_EQ(JobEnvironment(request, "JOBD_GROUP=job-1-4-2"), expected);
}

}  // namespace
}  // namespace jobd::launch
