#include "cli/view/explanations.h"

#include <gtest/gtest.h>

#include "cli/view/views.h"

namespace jobd::cli {
namespace {

v1::JobStatus Failed(uint32_t index, int exit_code) {
  v1::JobStatus job;
  job.set_index(index);
  job.set_attempt(1);
  job.mutable_result()->set_state(v1::JOB_STATE_FAILED);
  job.mutable_result()->set_exit_code(exit_code);
  return job;
}

v1::JobStatus Waiting(uint32_t index, v1::WaitCode code, const std::string& text) {
  v1::JobStatus job;
  job.set_index(index);
  job.mutable_result()->set_state(v1::JOB_STATE_QUEUED);
  job.add_waits()->set_code(code);
  job.mutable_waits(0)->set_text(text);
  return job;
}

// A batch of four jobs that failed in four ways was explained by its first alone.
TEST(ExplanationsTest, FaultC5EveryReasonOnce) {
  std::vector<v1::JobStatus> jobs;
  for (uint32_t index = 1; index <= 9; ++index) jobs.push_back(Failed(index, 1));
  jobs.push_back(Failed(10, 7));
  jobs.push_back(Waiting(11, v1::WAIT_CODE_TURN, "4 jobs before it"));
  jobs.push_back(Waiting(12, v1::WAIT_CODE_TURN, "5 jobs before it"));
  v1::JobStatus runs;
  runs.mutable_result()->set_state(v1::JOB_STATE_RUNNING);
  jobs.push_back(runs);
  const Explained all = ExplainTogether(jobs, 0, 10);
  EXPECT_EQ(all.text, "jobs 1, 2, 3, 4, 5 and 4 more ended: exit 1\njob 10 ended: exit 7\njobs 11 and 12 wait: 4 jobs before it\n");
  EXPECT_EQ(all.jobs, 12u);
  const Explained some = ExplainTogether(jobs, 0, 1);
  EXPECT_EQ(some.text, "jobs 1, 2, 3, 4, 5 and 4 more ended: exit 1\n");
  EXPECT_EQ(some.jobs, 9u);
  EXPECT_EQ(ExplainTogether({runs}, 0, 10).text, "");
}

TEST(ExplanationsTest, FaultC7AnAttemptIsNamed) {
  v1::JobStatus job = Failed(1, 3);
  EXPECT_EQ(Explanation(job, 0), "job 1 ended: exit 3\n");
  job.set_attempt(3);
  EXPECT_EQ(Explanation(job, 0), "job 1 ended: exit 3, attempt 3\n");
}

}  // namespace
}  // namespace jobd::cli
