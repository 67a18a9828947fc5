#include "cli/batch/job_draft.h"

#include <gtest/gtest.h>

#include <set>

#include "jobd/v1/types.pb.h"

namespace jobd::cli {
namespace {

base::Status Set(JobDraft& job, std::string_view key, const std::string& text) {
  return job.fields.Set(*FindField(JobFields(), key), text);
}

v1::JobSpec Spec(const JobDraft& job) {
  v1::JobSpec spec;
  ToProto(job, &spec);
  return spec;
}

TEST(JobDraftTest, FaultC12WhatTheSurroundingsAddIsMarked) {
  JobDraft job;
  job.ambient_env = {{"TERM", "xterm"}, {"NO_COLOR", "1"}};
  job.env = {{"TERM", "dumb"}};
  const v1::JobSpec spec = Spec(job);
  ASSERT_EQ(spec.env_size(), 2);
  EXPECT_EQ(spec.env(0).value(), "dumb") << "what was asked for counts";
  EXPECT_FALSE(spec.env(0).ambient());
  EXPECT_EQ(spec.env(1).name(), "NO_COLOR");
  EXPECT_TRUE(spec.env(1).ambient());
}

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
    const auto status = Set(job, key, value);
    ASSERT_FALSE(status.ok()) << key;
    EXPECT_EQ(status.error().code(), base::Code::kInvalidArgument) << key;
  }
  EXPECT_FALSE(AddEnv(job, "=x").ok());
  BatchDraft batch;
  EXPECT_FALSE(batch.fields.Set(*FindField(BatchFields(), "priority"), "high").ok());
  EXPECT_FALSE(AddLabel(batch, "novalue").ok());
  EXPECT_EQ(job, JobDraft());
  EXPECT_EQ(batch, BatchDraft());
}

TEST(JobDraftTest, TheJobsOwnCountsBeforeDefaults) {
  JobDraft defaults;
  defaults.env = {{"A", "default"}, {"B", "default"}};
  ASSERT_TRUE(Set(defaults, "timeout", "5s").ok());
  ASSERT_TRUE(Set(defaults, "retries", "3").ok());
  ASSERT_TRUE(Set(defaults, "profile", "p").ok());
  JobDraft job;
  job.env = {{"A", "own"}};
  ASSERT_TRUE(Set(job, "timeout", "1s").ok());
  ASSERT_TRUE(Set(job, "retries", "0").ok());
  ApplyDefaults(job, defaults);
  const v1::JobSpec spec = Spec(job);
  EXPECT_EQ(spec.timeout().seconds(), 1);
  EXPECT_EQ(spec.retries(), 0u) << "0 was said";
  EXPECT_EQ(spec.profile(), "p");
  ASSERT_EQ(spec.env_size(), 2);
  EXPECT_EQ(spec.env(0).value(), "own");
  EXPECT_EQ(spec.env(1).value(), "default");
}

TEST(JobDraftTest, TheLastOfSeveralValuesCounts) {
  JobDraft job;
  ASSERT_TRUE(Set(job, "memory", "1M").ok());
  ASSERT_TRUE(Set(job, "memory", "2M").ok());
  EXPECT_EQ(Spec(job).limits().memory_bytes(), 2u << 20);
  EXPECT_FALSE(Set(job, "memory", "x").ok());
  EXPECT_EQ(Spec(job).limits().memory_bytes(), 2u << 20) << "a bad value replaces nothing";
}

TEST(JobDraftTest, ABatchHasAnIdOfItsOwnOrANewOne) {
  const auto id = [](const BatchDraft& batch) {
    v1::BatchOptions options;
    ToProto(batch, &options);
    return options.correlation_id();
  };
  BatchDraft batch;
  EnsureId(batch, 0);
  EXPECT_EQ(id(batch).size(), 36u);
  BatchDraft named;
  ASSERT_TRUE(named.fields.Set(*FindField(BatchFields(), "id"), "mine").ok());
  EnsureId(named, 0);
  EXPECT_EQ(id(named), "mine");
}

// A row that puts its value nowhere, or where another row puts its own, shows here.
TEST(JobFieldsTest, EachFieldIsAPlaceOfItsOwnInTheMessage) {
  std::set<std::string> messages;
  for (const JobField& field : JobFields()) {
    JobDraft job;
    const std::string value = std::string_view(field.key) == "cpus" ? "2" : "7";
    ASSERT_TRUE(job.fields.Set(field, value).ok()) << field.key;
    EXPECT_TRUE(messages.insert(Spec(job).SerializeAsString()).second) << field.key;
    EXPECT_EQ(FindField(JobFields(), field.key), &field);
  }
  EXPECT_FALSE(messages.contains("")) << "a field was put nowhere";
  std::set<std::string> options;
  for (const BatchField& field : BatchFields()) {
    BatchDraft batch;
    const std::string value = field.type == nullptr ? "true" : std::string_view(field.key) == "priority" ? "low" : "7";
    ASSERT_TRUE(batch.fields.Set(field, value).ok()) << field.key;
    v1::BatchOptions message;
    ToProto(batch, &message);
    EXPECT_TRUE(options.insert(message.SerializeAsString()).second) << field.key;
  }
  EXPECT_FALSE(options.contains("")) << "a field was put nowhere";
}

// Every field of Limits can be asked for: a new one in the API needs its row here.
TEST(JobFieldsTest, EveryLimitOfTheApiCanBeSet) {
  std::set<std::string> set;
  for (const JobField& field : JobFields()) {
    JobDraft job;
    ASSERT_TRUE(job.fields.Set(field, "7").ok()) << field.key;
    const v1::JobSpec spec = Spec(job);
    std::vector<const google::protobuf::FieldDescriptor*> fields;
    v1::Limits::GetReflection()->ListFields(spec.limits(), &fields);
    for (const auto* limit : fields) set.insert(limit->name());
  }
  const auto* limits = v1::Limits::descriptor();
  for (int i = 0; i < limits->field_count(); ++i) EXPECT_TRUE(set.contains(limits->field(i)->name())) << limits->field(i)->name();
}

}  // namespace
}  // namespace jobd::cli
