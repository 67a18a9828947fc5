#include "server/api/waits.h"

#include <gtest/gtest.h>

#include "jobd/v1/types.pb.h"

namespace jobd::server {
namespace {

using worker::JobState;

worker::JobView Job(uint32_t index, JobState state) {
  worker::JobView job;
  job.index = index;
  job.outcome.state = state;
  return job;
}

TEST(WaitsTest, WhatHasASlotAndHasNotStartedIsAskedAboutToo) {
  worker::JobPage page;
  const JobState states[] = {JobState::kRunning, JobState::kScheduled, JobState::kStarting, JobState::kQueued,
                             JobState::kHeld,    JobState::kSucceeded, JobState::kLost};
  for (const JobState state : states) page.jobs.push_back(Job(static_cast<uint32_t>(page.jobs.size() + 1), state));
  const worker::WaitQuery query = WaitsAskedFor(page);
  ASSERT_EQ(query.jobs.size(), 3u);
  EXPECT_EQ(query.jobs[0].index, 2u);
  EXPECT_EQ(query.jobs[0].state, JobState::kScheduled);
  EXPECT_EQ(query.jobs[1].index, 4u);
  EXPECT_EQ(query.jobs[2].index, 5u);
}

TEST(WaitsTest, AnUnknownNumberIsNotTakenForNone) {
  const auto text = [](uint64_t before, bool at_least) {
    jobd::v1::WaitReason message;
    SetWait({.code = worker::WaitCode::kTurn, .before = before, .before_at_least = at_least}, "ann", true, &message);
    return message.text();
  };
  EXPECT_EQ(text(0, false), "it is about to start");
  EXPECT_EQ(text(0, true), "others of its batch may be before it");
  EXPECT_EQ(text(7, true), "more than 7 jobs before it");
}

}  // namespace
}  // namespace jobd::server
