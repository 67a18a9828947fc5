#include "cli/batch/job_draft.h"

#include <gtest/gtest.h>

namespace jobd::cli {
namespace {

TEST(JobDraftTest, RefusesBadValues) {
  JobDraft job;
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{{"timeout", "soon"},
                                                                                   {"timeout", "0"},
                                                                                   {"kill_after", "-1"},
                                                                                   {"memory", "1X"},
                                                                                   {"memory", "0"},
                                                                                   {"cpus", "0"},
                                                                                   {"pids", "many"},
                                                                                   {"retries", "-1"}}) {
    const auto status = SetJobField(job, key, value);
    ASSERT_FALSE(status.ok()) << key;
    EXPECT_EQ(status.error().code(), base::Code::kInvalidArgument) << key;
  }
  EXPECT_FALSE(AddEnv(job, "=x").ok());
  BatchDraft batch;
  EXPECT_FALSE(SetBatchField(batch, "priority", "high").ok());
  EXPECT_FALSE(AddLabel(batch, "novalue").ok());
  EXPECT_EQ(job, JobDraft());
}

TEST(JobDraftTest, TheJobsOwnCountsBeforeDefaults) {
  JobDraft defaults;
  defaults.env = {{"A", "default"}, {"B", "default"}};
  defaults.timeout = 5;
  defaults.profile = "p";
  JobDraft job;
  job.env = {{"A", "own"}};
  job.timeout = 1;
  ApplyDefaults(job, defaults);
  EXPECT_EQ(job.timeout, 1);
  EXPECT_EQ(job.profile, "p");
  EXPECT_EQ(job.env.back(), (std::pair<std::string, std::string>("A", "own")));
}

}  // namespace
}  // namespace jobd::cli
