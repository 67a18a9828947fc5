#include <gtest/gtest.h>

#include <limits>

#include "jobd/v1/job_query_service.pb.h"
#include "jobd/v1/types.pb.h"
#include "server/api/convert.h"

namespace jobd::server {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

jobd::v1::JobSpec Command() {
  jobd::v1::JobSpec job;
  job.add_argv("true");
  return job;
}

// The one field that is refused, or "" when all is well, or "?" when there are several.
std::string Refused(const jobd::v1::JobSpec& job) {
  FieldCheck check;
  (void)JobSpecOf(job, "job", check);
  const base::Status status = check.Result();
  if (status.ok()) return "";
  EXPECT_EQ(status.error().code(), base::Code::kInvalidArgument);
  return status.error().violations().size() == 1 ? status.error().violations().front().field : "?";
}

TEST(ConvertRequest, ACommandHasAtLeastAProgram) {
  EXPECT_EQ(Refused(jobd::v1::JobSpec()), "job.argv");
  jobd::v1::JobSpec job;
  job.add_argv("");
  EXPECT_EQ(Refused(job), "job.argv[0]");
  EXPECT_EQ(Refused(Command()), "");
}

TEST(ConvertRequest, NulBytesAreRefusedWhereTheyCannotTravel) {
  const std::string nul("a\0b", 3);
  auto job = Command();
  job.add_argv(nul);
  EXPECT_EQ(Refused(job), "job.argv[1]");
  job = Command();
  job.set_workdir("/" + nul);
  EXPECT_EQ(Refused(job), "job.workdir");
  job = Command();
  job.set_name(nul);
  EXPECT_EQ(Refused(job), "job.name");
  job = Command();
  job.set_user(nul);
  EXPECT_EQ(Refused(job), "job.user");
  job = Command();
  job.set_stdin(nul);
  EXPECT_EQ(Refused(job), "");
}

TEST(ConvertRequest, Environment) {
  for (const std::string& bad : {std::string(), std::string("A=B"), std::string("A\0", 2)}) {
    auto job = Command();
    job.add_env()->set_name(bad);
    EXPECT_EQ(Refused(job), "job.env[0].name");
  }
  auto job = Command();
  for (const char* value : {"1", "2"}) {
    auto* variable = job.add_env();
    variable->set_name("A");
    variable->set_value(value);
  }
  job.add_env()->set_name("B");
  FieldCheck check;
  const worker::JobSpec spec = JobSpecOf(job, "job", check);
  ASSERT_EQ(spec.env.size(), 2u);
  EXPECT_TRUE(spec.ambient.empty());
  EXPECT_EQ(spec.env[0], (std::pair<std::string, std::string>("A", "2")));
}

TEST(ConvertRequest, BytesArriveAsTheyAre) {
  const std::string odd = "\xff\x01 ;$(x)\n'\"";
  auto job = Command();
  job.add_argv(odd);
  FieldCheck check;
  const worker::JobSpec spec = JobSpecOf(job, "job", check);
  EXPECT_TRUE(check.ok());
  EXPECT_EQ(spec.argv[1], odd);
}

TEST(ConvertRequest, DurationsStayInRange) {
  const std::pair<int64_t, int32_t> bad[] = {{-1, 0}, {0, -1}, {0, 1'000'000'000}, {kMax, 0}, {kMin, 0}, {3'200'000'000, 0}};
  for (const auto& [seconds, nanos] : bad) {
    auto job = Command();
    job.mutable_timeout()->set_seconds(seconds);
    job.mutable_timeout()->set_nanos(nanos);
    EXPECT_EQ(Refused(job), "job.timeout") << seconds << " " << nanos;
  }
  auto job = Command();
  job.mutable_timeout()->set_seconds(1);
  job.mutable_timeout()->set_nanos(500'000'000);
  FieldCheck check;
  EXPECT_EQ(JobSpecOf(job, "job", check).timeout, 1'500'000'000);
}

TEST(ConvertRequest, NumbersStayInRange) {
  auto job = Command();
  job.mutable_limits()->set_memory_bytes(std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(Refused(job), "job.limits.memory_bytes");
  job = Command();
  job.set_retries(std::numeric_limits<uint32_t>::max());
  EXPECT_EQ(Refused(job), "job.retries");
  job = Command();
  job.set_workdir("relative");
  EXPECT_EQ(Refused(job), "job.workdir");
  job = Command();
  job.set_name(std::string(1 << 20, 'n'));
  EXPECT_EQ(Refused(job), "job.name");
}

// What this side accepts must be what CheckBatch accepts: AdmissionTest has the other half.
TEST(ConvertRequest, FaultC21EachBoundIsAcceptedAndNotOneMore) {
  const auto refused = [](auto change) {
    auto job = Command();
    change(job);
    return Refused(job);
  };
  const auto path = [](size_t bytes) { return "/" + std::string(bytes - 1, 'x'); };
  const auto id = [](size_t bytes) { return std::string(bytes, 'x'); };
  EXPECT_EQ(refused([&](auto& job) { job.set_workdir(path(base::kMaxPathBytes)); }), "");
  EXPECT_EQ(refused([&](auto& job) { job.set_workdir(path(base::kMaxPathBytes + 1)); }), "job.workdir");
  EXPECT_EQ(refused([&](auto& job) { job.set_retries(base::kMaxRetries); }), "");
  EXPECT_EQ(refused([&](auto& job) { job.set_retries(base::kMaxRetries + 1); }), "job.retries");
  EXPECT_EQ(refused([&](auto& job) { job.set_profile(id(base::kMaxIdBytes)); }), "");
  EXPECT_EQ(refused([&](auto& job) { job.set_profile(id(base::kMaxIdBytes + 1)); }), "job.profile");
  EXPECT_EQ(refused([&](auto& job) { job.mutable_timeout()->set_seconds(base::kMaxJobTime / base::kNanosPerSecond); }), "");
  EXPECT_EQ(refused([&](auto& job) { job.mutable_timeout()->set_seconds(base::kMaxJobTime / base::kNanosPerSecond + 1); }),
            "job.timeout");
  const auto label_is_fine = [](size_t key, size_t value) {
    jobd::v1::BatchOptions options;
    (*options.mutable_labels())[std::string(key, 'k')] = std::string(value, 'v');
    FieldCheck check;
    const auto converted = BatchOptionsOf(options, check);
    return check.ok() && converted.labels.size() == 1;
  };
  EXPECT_TRUE(label_is_fine(base::kMaxLabelKeyBytes, base::kMaxLabelValueBytes));
  EXPECT_FALSE(label_is_fine(base::kMaxLabelKeyBytes + 1, 1));
  EXPECT_FALSE(label_is_fine(1, base::kMaxLabelValueBytes + 1));
}

TEST(ConvertRequest, OptionsAreChecked) {
  for (const std::string& bad : {std::string("../../etc/passwd"), std::string("..%2f"), std::string("."), std::string(300, 'a'),
                                 std::string("a\0b", 3), std::string("\xef\xbc\xa1"), std::string("a\nb"), std::string("-")}) {
    jobd::v1::BatchOptions options;
    options.set_correlation_id(bad);
    FieldCheck check;
    (void)BatchOptionsOf(options, check);
    EXPECT_FALSE(check.ok()) << bad;
  }
  jobd::v1::BatchOptions options;
  options.set_priority(static_cast<jobd::v1::Priority>(99));
  FieldCheck check;
  (void)BatchOptionsOf(options, check);
  const base::Status status = check.Result();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().violations().front().field, "options.priority");
  jobd::v1::BatchOptions labels;
  for (int i = 0; i < 65; ++i) (*labels.mutable_labels())[std::to_string(i)] = "x";
  FieldCheck label_check;
  (void)BatchOptionsOf(labels, label_check);
  EXPECT_FALSE(label_check.ok());
}

TEST(ConvertRequest, UnknownEnumsAreRefused) {
  FieldCheck check;
  EXPECT_TRUE(StatesOf(std::vector<int>{0, 13, -1, 99}, check).empty());
  EXPECT_FALSE(check.ok());
  jobd::v1::StreamLogsRequest request;
  request.set_correlation_id("a");
  request.set_stream(static_cast<jobd::v1::LogStream>(7));
  FieldCheck log_check;
  (void)LogQueryOf(request, log_check);
  EXPECT_FALSE(log_check.ok());
}

TEST(ConvertRequest, AnOffsetNeedsOneStreamOfOneJob) {
  jobd::v1::StreamLogsRequest request;
  request.set_correlation_id("a");
  request.set_offset(5);
  FieldCheck check;
  (void)LogQueryOf(request, check);
  EXPECT_FALSE(check.ok());
  request.set_index(1);
  request.set_stream(jobd::v1::LOG_STREAM_STDERR);
  FieldCheck good;
  const worker::LogQuery query = LogQueryOf(request, good);
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(query.offset, 5u);
  EXPECT_EQ(query.stream, launch::Stream::kErr);
}

TEST(ConvertReply, OutcomesKeepWhatIsKnownApartFromWhatIsNot) {
  jobd::v1::JobResult result;
  SetResult({.state = worker::JobState::kLost, .reason = {.code = worker::ReasonCode::kShimDied, .text = "gone"}}, &result);
  EXPECT_EQ(result.state(), jobd::v1::JOB_STATE_LOST);
  EXPECT_FALSE(result.has_exit_code());
  EXPECT_FALSE(result.has_signal());
  EXPECT_EQ(result.reason().code(), jobd::v1::REASON_CODE_SHIM_DIED);
  jobd::v1::JobResult success;
  SetResult({.state = worker::JobState::kSucceeded, .exit_code = 0}, &success);
  EXPECT_TRUE(success.has_exit_code());
}

}  // namespace
}  // namespace jobd::server
