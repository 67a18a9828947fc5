#include "worker/model/admission.h"

#include <gtest/gtest.h>

#include "base/bounds.h"
#include "tests/unit/worker/test_capabilities.h"

namespace jobd::worker {
namespace {

using base::Code;

const WorkerLimits kLimits{.capabilities = TestCapabilities()};

JobSpec Good() { return {.argv = {"true"}}; }

// The field that is refused; empty when the batch is accepted.
std::string Refused(const JobSpec& job, BatchOptions options = {}) {
  const base::Status status = CheckBatch({.owner = "ann"}, options, {job}, kLimits);
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
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.timeout = base::kMaxJobTime + 1; }), "jobs[0].timeout");
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

TEST(AdmissionTest, FaultC21EachBoundIsAcceptedAndNotOneMore) {
  using base::kMaxLabelKeyBytes;
  EXPECT_EQ(Refused(Good(), {.labels = {{std::string(kMaxLabelKeyBytes, 'k'), std::string(base::kMaxLabelValueBytes, 'v')}}}), "");
  EXPECT_EQ(Refused(Good(), {.labels = {{std::string(kMaxLabelKeyBytes + 1, 'k'), "v"}}}), "options.labels");
  EXPECT_EQ(Refused(Good(), {.labels = {{"k", std::string(base::kMaxLabelValueBytes + 1, 'v')}}}), "options.labels");
  EXPECT_EQ(Refused(Good(), {.correlation_id = std::string(base::kMaxIdBytes, 'a')}), "");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.workdir = "/" + std::string(base::kMaxPathBytes - 1, 'x'); }), "");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.workdir = "/" + std::string(base::kMaxPathBytes, 'x'); }), "jobs[0].workdir");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.retries = base::kMaxRetries; }), "");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.limits.open_files = base::kMaxOpenFiles + 1; }), "jobs[0].limits.open_files");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.timeout = base::kMaxJobTime; }), "");
}

TEST(AdmissionTest, BatchesAreBounded) {
  EXPECT_FALSE(CheckBatch({.owner = "ann"}, {}, {}, {}).ok());
  EXPECT_FALSE(CheckBatch({.owner = "ann"}, {}, {Good(), Good()}, {.max_batch_jobs = 1, .capabilities = TestCapabilities()}).ok());
  EXPECT_EQ(CheckBatch({.owner = "ann"}, {}, std::vector<JobSpec>(1000), kLimits).error().violations().size(),
            base::kMaxViolations);
}

TEST(AdmissionTest, ProfilesAndAccountsAreForThoseWhoMayUseThem) {
  JobSpec job = Good();
  job.profile = "open";
  EXPECT_EQ(CheckBatch({.owner = "ann", .profiles = {"strict"}}, {}, {Good(), job}, kLimits).error().code(),
            Code::kPermissionDenied);
  // Also the default counts.
  EXPECT_EQ(CheckBatch({.owner = "ann", .profiles = {"strict"}}, {}, {Good()}, kLimits).error().code(), Code::kPermissionDenied);
  job = Good();
  job.user = "root";
  EXPECT_EQ(CheckBatch({.owner = "ann"}, {}, {job}, kLimits).error().code(), Code::kPermissionDenied);
  EXPECT_EQ(CheckBatch({.owner = "ann", .run_as = {"build"}}, {}, {job}, kLimits).error().code(), Code::kPermissionDenied);
  EXPECT_TRUE(CheckBatch({.owner = "ann", .run_as = {"build", "root"}}, {}, {job}, kLimits).ok());
}

TEST(AdmissionTest, QuotasBoundTheQueue) {
  const WorkerLimits limits{.max_queued = 100, .max_queued_per_user = 10};
  EXPECT_TRUE(CheckLoad({.owner = "ann"}, 10, {}, limits).ok());
  EXPECT_EQ(CheckLoad({.owner = "ann"}, 11, {}, limits).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(CheckLoad({.owner = "ann"}, 1, {.queued = 100}, limits).error().code(), Code::kResourceExhausted);
  EXPECT_FALSE(CheckLoad({.owner = "ann", .max_queued = 5}, 6, {}, limits).ok());
  EXPECT_TRUE(CheckLoad({.owner = "ann", .max_queued = 50}, 40, {}, limits).ok());
}

TEST(AdmissionTest, WhatTheLauncherWouldRefuseIsRefusedNow) {
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.profile = "none"; }), "jobs[0].profile");
  EXPECT_EQ(RefusedWith([](JobSpec& job) {
              job.profile = "open";
              job.limits.tmp_bytes = 1 << 20;
            }),
            "jobs[0].limits.tmp_bytes")
      << "it has no /tmp of its own";
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.limits.tmp_bytes = 2ull << 30; }), "jobs[0].limits.tmp_bytes")
      << "more than the profile has";
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.limits.tmp_bytes = 1 << 20; }), "");
  EXPECT_EQ(RefusedWith([](JobSpec& job) { job.limits.open_files = 3; }), "jobs[0].limits.open_files");

  WorkerLimits poor = kLimits;
  poor.capabilities.missing_limits = {"memory_bytes", "io_write_bytes_per_second"};
  poor.capabilities.profiles[2].missing = true;
  JobSpec job = Good();
  EXPECT_TRUE(CheckBatch({.owner = "ann"}, {}, {job}, poor).ok());
  job.limits = {.memory_bytes = 1 << 30, .io_read_bytes_per_second = 1 << 20};
  EXPECT_EQ(CheckBatch({.owner = "ann"}, {}, {job}, poor).error().violations().front().field, "jobs[0].limits.memory_bytes");
  job.limits = {.io_write_bytes_per_second = 1 << 20};
  EXPECT_EQ(CheckBatch({.owner = "ann"}, {}, {job}, poor).error().violations().front().field,
            "jobs[0].limits.io_write_bytes_per_second");
  job = {.argv = {"true"}, .profile = "strict"};
  EXPECT_EQ(CheckBatch({.owner = "ann"}, {}, {job}, poor).error().violations().front().field, "jobs[0].profile");
  EXPECT_FALSE(CheckBatch({.owner = "ann", .bounds = {.max = {.memory_bytes = 1 << 30}}}, {}, {Good()}, poor).ok())
      << "nor a bound of the user's that cannot be enforced";
}

TEST(AdmissionTest, AProfileThatNeedsAGrantIsForWhoHasIt) {
  WorkerLimits limits = kLimits;
  limits.capabilities.profiles[0].needs_grant = true;
  const JobSpec open{.argv = {"true"}, .profile = "open"};
  EXPECT_EQ(CheckBatch({.owner = "ann"}, {}, {open}, limits).error().code(), Code::kPermissionDenied);
  EXPECT_TRUE(CheckBatch({.owner = "ann", .profiles = {"open"}}, {}, {open}, limits).ok());
  EXPECT_TRUE(CheckBatch({.owner = "ann"}, {}, {Good()}, limits).ok());
}

TEST(AdmissionTest, NobodyAsksForMoreThanTheirBounds) {
  const Submitter ann{.owner = "ann",
                      .bounds = {.max = {.memory_bytes = 1 << 30, .pids = 10}, .timeout = 60, .workdirs = {"/srv/ann", "/data/"}}};
  const auto denied = [&](const JobSpec& job) -> std::string {
    const base::Status status = CheckBatch(ann, {}, {job}, kLimits);
    if (status.ok()) return "";
    EXPECT_EQ(status.error().code(), Code::kPermissionDenied);
    return status.error().message().substr(0, status.error().message().find(": "));
  };
  EXPECT_EQ(denied(Good()), "");
  EXPECT_EQ(denied({.argv = {"a"}, .limits = {.memory_bytes = (1 << 30) + 1}}), "jobs[0].limits.memory_bytes");
  EXPECT_EQ(denied({.argv = {"a"}, .limits = {.memory_bytes = 1 << 30, .pids = 10}}), "");
  EXPECT_EQ(denied({.argv = {"a"}, .timeout = 61}), "jobs[0].timeout");
  for (const char* folder : {"/", "/srv", "/srv/annex", "/srv/ann/../bob", "/data/.."}) {
    EXPECT_EQ(denied({.argv = {"a"}, .workdir = folder}), "jobs[0].workdir") << folder;
  }
  for (const char* folder : {"/srv/ann", "/srv/./ann//x/", "/data", "/data/a/b"}) {
    EXPECT_EQ(denied({.argv = {"a"}, .workdir = folder}), "") << folder;
  }
}

TEST(AdmissionTest, WhatIsNotAskedForIsBoundedAllTheSame) {
  const Submitter ann{.owner = "ann",
                      .bounds = {.max = {.memory_bytes = 1 << 30, .tmp_bytes = 4ull << 30}, .timeout = 60, .workdirs = {}}};
  WorkerLimits limits = kLimits;
  JobSpec job = Good();
  PinBounds(ann, limits, job);
  EXPECT_EQ(job.limits.memory_bytes, 1u << 30);
  EXPECT_EQ(job.limits.tmp_bytes, 1u << 30) << "no more than the profile has";
  EXPECT_EQ(job.timeout, 60);
  limits.default_limits.memory_bytes = 1 << 20;
  limits.default_timeout = 90;
  JobSpec less{.argv = {"true"}, .profile = "open"};
  PinBounds(ann, limits, less);
  EXPECT_EQ(less.limits.memory_bytes, 1u << 20) << "the default";
  EXPECT_EQ(less.limits.tmp_bytes, 0u) << "there is none";
  EXPECT_EQ(less.timeout, 60) << "not the default";
  JobSpec own{.argv = {"true"}, .limits = {.memory_bytes = 5 << 20}};
  PinBounds(ann, limits, own);
  EXPECT_EQ(own.limits.memory_bytes, 5u << 20);
}

TEST(AdmissionTest, LastOfDuplicateVariablesStays) {
  JobSpec job = Good();
  job.env = {{"A", "1"}, {"B", "2"}, {"A", "3"}};
  KeepLastOfDuplicates(job);
  EXPECT_EQ(job.env, (std::vector<std::pair<std::string, std::string>>{{"A", "3"}, {"B", "2"}}));
}

}  // namespace
}  // namespace jobd::worker
