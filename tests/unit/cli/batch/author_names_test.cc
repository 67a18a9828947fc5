#include "cli/batch/author_names.h"

#include <gtest/gtest.h>

#include "jobd/v1/types.pb.h"

namespace jobd::cli {
namespace {

JobDraft At(int line) {
  JobDraft job;
  job.line = line;
  return job;
}

TEST(AuthorNamesTest, FaultC5FieldsBearTheNamesOfOptions) {
  const Authored options;
  EXPECT_EQ(AuthorsName("job.limits.memory_bytes", options), "--memory");
  EXPECT_EQ(AuthorsName("jobs[0].limits.io_read_bytes_per_second", options), "--io-read");
  EXPECT_EQ(AuthorsName("job.kill_after", options), "--kill-after");
  EXPECT_EQ(AuthorsName("job.argv", options), "the command");
  EXPECT_EQ(AuthorsName("job.argv[1]", options), "the command, word 2");
  EXPECT_EQ(AuthorsName("job.env[3].name", options), "--env");
  EXPECT_EQ(AuthorsName("options.correlation_id", options), "--id");
  EXPECT_EQ(AuthorsName("options.fail_fast", options), "--fail-fast");
  EXPECT_EQ(AuthorsName("options.labels", options), "--label");
  EXPECT_EQ(AuthorsName("jobs.correlation_id", options), "ID");
  EXPECT_EQ(AuthorsName("older_than", options), "--older-than");
  for (const std::string unknown : {"", "jobs[", "jobs[x].argv", "nonsense", "jobs[99999999999999999999].argv"})
    EXPECT_EQ(AuthorsName(unknown, options), unknown);
}

TEST(AuthorNamesTest, FaultC5FieldsOfAFileBearItsLines) {
  std::vector<JobDraft> jobs{At(3), At(7)};
  const JobField& memory = *FindField(JobFields(), "memory");
  ASSERT_TRUE(jobs[1].fields.Set(memory, "1K").ok());
  JobDraft job_options;
  BatchDraft batch_options;
  const Authored authored{"b.yaml", &jobs, &job_options, &batch_options};
  EXPECT_EQ(AuthorsName("jobs[1].limits.memory_bytes", authored), "b.yaml:7: memory");
  EXPECT_EQ(AuthorsName("jobs[0].argv[0]", authored), "b.yaml:3: argv, word 1");
  EXPECT_EQ(AuthorsName("jobs[0]", authored), "b.yaml:3");
  EXPECT_EQ(AuthorsName("options.parallel", authored), "b.yaml: parallel");
  EXPECT_EQ(AuthorsName("options.labels", authored), "b.yaml: labels");
  ASSERT_TRUE(job_options.fields.Set(memory, "1K").ok());
  EXPECT_EQ(AuthorsName("jobs[1].limits.memory_bytes", authored), "--memory") << "that is where the value comes from";
  ASSERT_TRUE(batch_options.fields.Set(*FindField(BatchFields(), "parallel"), "3").ok());
  EXPECT_EQ(AuthorsName("options.parallel", authored), "--parallel");
}

// A field without a path would be shown as the API has it.
TEST(AuthorNamesTest, EveryFieldHasAPath) {
  for (const JobField& field : JobFields()) {
    v1::JobSpec spec;
    field.put({.number = 1, .text = "x"}, spec);
    EXPECT_GT(spec.ByteSizeLong(), 0u) << field.key;
  }
}

}  // namespace
}  // namespace jobd::cli
