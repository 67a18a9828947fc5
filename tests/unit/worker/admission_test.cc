#include "worker/admission.h"

#include <gtest/gtest.h>

namespace jobd::worker {
namespace {

using base::Code;

JobSpec Good() { return {.argv = {"true"}}; }

// The field that is refused; empty when the batch is accepted.
std::string Refused(const JobSpec& job, BatchOptions options = {}) {
  const base::Status status = CheckBatch({.owner = "ann"}, options, {job}, {});
  if (status.ok()) return "";
  EXPECT_EQ(status.error().code(), Code::kInvalidArgument);
  return status.error().violations().empty() ? "?" : status.error().violations().front().field;
}

template <typename Change>
std::string RefusedWith(Change change) {
  JobSpec job = Good();
  change(job);
  return Refused(job);
}

TEST(AdmissionTest, BadCommandsAreRefused) {
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.argv.clear(); }), "jobs[0].argv");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.argv = {""}; }), "jobs[0].argv");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.argv.push_back(std::string("a\0b", 3)); }), "jobs[0].argv");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.argv.push_back(std::string(128 * 1024, 'x')); }), "jobs[0].argv");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.argv.resize(100'001, "x"); }), "jobs[0].argv");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.argv.resize(10, std::string(120'000, 'x')); }), "jobs[0].argv");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.argv.push_back(std::string(128 * 1024 - 1, 'x')); }), "");
}

TEST(AdmissionTest, BadEnvironmentsAreRefused) {
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.env = {{"", "x"}}; }), "jobs[0].env");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.env = {{"A=B", "x"}}; }), "jobs[0].env");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.env = {{"A", std::string("\0", 1)}}; }), "jobs[0].env");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.env.resize(10'001, {"A", "x"}); }), "jobs[0].env");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.env = {{"A", std::string(1 << 20, 'x')}}; }), "jobs[0].env");
}

TEST(AdmissionTest, BadFieldsAreRefused) {
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.workdir = "relative"; }), "jobs[0].workdir");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.workdir = std::string("/a\0b", 4); }), "jobs[0].workdir");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.timeout = -1; }), "jobs[0].timeout");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.timeout = kMaxTime + 1; }), "jobs[0].timeout");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.kill_after = -1; }), "jobs[0].kill_after");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.limits.memory_bytes = 1; }), "jobs[0].limits.memory_bytes");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.retries = 101; }), "jobs[0].retries");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.stdin_data.resize(3 * 1024 * 1024 + 1); }), "jobs[0].stdin");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.name = "a\nb"; }), "jobs[0].name");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.name = "\xc2\x9b"; }), "jobs[0].name");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.name = "\xff"; }), "jobs[0].name");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.name = std::string(257, 'x'); }), "jobs[0].name");
  for (const char* const user : {"#0", "-1", "nobody\n", "a/b", ""}) {
    const auto field = RefusedWith([&](JobSpec& job) { job.user = user; });
    EXPECT_EQ(field, std::string(user).empty() ? "" : "jobs[0].user");
  }
}

TEST(AdmissionTest, BadOptionsAreRefused) {
  for (const std::string id : {"../../etc/passwd", "..%2f", "/", ".", "a b", "ＡＢＣ"}) {
    EXPECT_EQ(Refused(Good(), {.correlation_id = id}), "options.correlation_id") << id;
  }
  EXPECT_EQ(Refused(Good(), {.correlation_id = std::string(300, 'a')}), "options.correlation_id");
  EXPECT_EQ(Refused(Good(), {.name = "\x1b[2J"}), "options.name");
  EXPECT_EQ(Refused(Good(), {.labels = {{"", "x"}}}), "options.labels");
  BatchOptions many;
  for (int i = 0; i < 65; ++i) many.labels[std::to_string(i)] = "x";
  EXPECT_EQ(Refused(Good(), many), "options.labels");
}

TEST(AdmissionTest, BatchesAreBounded) {
  EXPECT_FALSE(CheckBatch({.owner = "ann"}, {}, {}, {}).ok());
  EXPECT_FALSE(CheckBatch({.owner = "ann"}, {}, {Good(), Good()}, {.max_batch_jobs = 1}).ok());
  EXPECT_EQ(CheckBatch({.owner = "ann"}, {}, std::vector<JobSpec>(1000), {}).error().violations().size(), 20u);
}

TEST(AdmissionTest, ProfilesAndAccountsAreForThoseWhoMayUseThem) {
  JobSpec job = Good();
  job.profile = "open";
  EXPECT_EQ(CheckBatch({.owner = "ann", .profiles = {"strict"}}, {}, {Good(), job}, {}).error().code(), Code::kPermissionDenied);
  // Also the default counts.
  EXPECT_EQ(CheckBatch({.owner = "ann", .profiles = {"strict"}}, {}, {Good()}, {}).error().code(), Code::kPermissionDenied);
  job = Good();
  job.user = "root";
  EXPECT_EQ(CheckBatch({.owner = "ann"}, {}, {job}, {}).error().code(), Code::kPermissionDenied);
  EXPECT_EQ(CheckBatch({.owner = "ann", .run_as = {"build"}}, {}, {job}, {}).error().code(), Code::kPermissionDenied);
  EXPECT_TRUE(CheckBatch({.owner = "ann", .run_as = {"build", "root"}}, {}, {job}, {}).ok());
}

TEST(AdmissionTest, QuotasBoundTheQueue) {
  const WorkerLimits limits{.max_queued = 100, .max_queued_per_user = 10};
  EXPECT_TRUE(CheckLoad({.owner = "ann"}, 10, {}, limits).ok());
  EXPECT_EQ(CheckLoad({.owner = "ann"}, 11, {}, limits).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(CheckLoad({.owner = "ann"}, 1, {.queued = 100}, limits).error().code(), Code::kResourceExhausted);
  EXPECT_FALSE(CheckLoad({.owner = "ann", .max_queued = 5}, 6, {}, limits).ok());
  EXPECT_TRUE(CheckLoad({.owner = "ann", .max_queued = 50}, 40, {}, limits).ok());
}

TEST(AdmissionTest, LastOfDuplicateVariablesStays) {
  JobSpec job = Good();
  job.env = {{"A", "1"}, {"B", "2"}, {"A", "3"}};
  KeepLastOfDuplicates(job);
  EXPECT_EQ(job.env, (std::vector<std::pair<std::string, std::string>>{{"A", "3"}, {"B", "2"}}));
}

}  // namespace
}  // namespace jobd::worker
