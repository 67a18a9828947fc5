// How jobs ended, as exit codes, as JSON and as rows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/view/exit_code.h"
#include "cli/view/json_view.h"
#include "cli/view/states.h"
#include "cli/view/views.h"

namespace jobd::cli {
namespace {

v1::JobResult Result(v1::JobState state, v1::ReasonCode code = v1::REASON_CODE_UNSPECIFIED) {
  v1::JobResult result;
  result.set_state(state);
  result.mutable_reason()->set_code(code);
  if (state == v1::JOB_STATE_SUCCEEDED) result.set_exit_code(0);
  return result;
}

v1::JobResult StartFailed(const char* step, const char* errno_name) {
  v1::JobResult result = Result(v1::JOB_STATE_FAILED, v1::REASON_CODE_START_FAILED);
  result.mutable_reason()->set_step(step);
  result.mutable_reason()->set_errno_name(errno_name);
  return result;
}

TEST(ExitCodeTest, NothingUncertainIsZero) {
  for (int state = 0; state < 20; ++state) {
    const bool success = state == v1::JOB_STATE_SUCCEEDED;
    EXPECT_EQ(ExitCodeOf(Result(static_cast<v1::JobState>(state))) == 0, success) << state;
  }
  v1::JobResult failed_with_zero = Result(v1::JOB_STATE_FAILED);
  failed_with_zero.set_exit_code(0);
  EXPECT_EQ(ExitCodeOf(failed_with_zero), 125);
}

TEST(ExitCodeTest, AsAShellShowsIt) {
  v1::JobResult exited = Result(v1::JOB_STATE_FAILED, v1::REASON_CODE_EXITED);
  exited.set_exit_code(3);
  EXPECT_EQ(ExitCodeOf(exited), 3);
  exited.set_exit_code(255);
  EXPECT_EQ(ExitCodeOf(exited), 255);
  v1::JobResult signaled = Result(v1::JOB_STATE_FAILED, v1::REASON_CODE_SIGNALED);
  signaled.set_signal(11);
  EXPECT_EQ(ExitCodeOf(signaled), 139);
  EXPECT_EQ(Describe(signaled), "SIGSEGV");
  EXPECT_EQ(ExitCodeOf(Result(v1::JOB_STATE_TIMED_OUT)), 124);
  EXPECT_EQ(ExitCodeOf(Result(v1::JOB_STATE_OOM_KILLED)), 137);
  EXPECT_EQ(ExitCodeOf(Result(v1::JOB_STATE_CANCELLED)), 143);
  EXPECT_EQ(ExitCodeOf(Result(v1::JOB_STATE_LOST)), 125);
  EXPECT_EQ(ExitCodeOf(Result(v1::JOB_STATE_FAILED, v1::REASON_CODE_REFUSED)), 125);
}

TEST(ExitCodeTest, FailedStarts) {
  EXPECT_EQ(ExitCodeOf(StartFailed("executing the program", "ENOENT")), 127);
  EXPECT_EQ(ExitCodeOf(StartFailed("executing the program", "EACCES")), 126);
  EXPECT_EQ(ExitCodeOf(StartFailed("executing the program", "ENOEXEC")), 126);
  EXPECT_EQ(ExitCodeOf(StartFailed("changing to the working directory", "ENOENT")), 125);
}

// A job that failed first was hidden by the 143 of those that fail-fast cancelled.
TEST(ExitCodeTest, FaultA12TheCodeOfWhatFailedNotOfItsConsequences) {
  v1::JobResult failed = Result(v1::JOB_STATE_FAILED, v1::REASON_CODE_EXITED);
  failed.set_exit_code(1);
  const v1::JobResult consequence = Result(v1::JOB_STATE_CANCELLED, v1::REASON_CODE_FAIL_FAST);
  const v1::JobResult cancelled = Result(v1::JOB_STATE_CANCELLED, v1::REASON_CODE_CANCELLED_BY_USER);
  const auto code = [](const std::vector<v1::JobResult>& results) {
    LargestExitCode largest;
    for (const v1::JobResult& result : results) largest.Add(result);
    return largest.code();
  };
  EXPECT_EQ(code({}), 0);
  EXPECT_EQ(code({consequence, failed, consequence}), 1);
  EXPECT_EQ(code({failed, Result(v1::JOB_STATE_TIMED_OUT), consequence}), 124);
  EXPECT_EQ(code({failed, cancelled}), 143) << "who cancelled meant that job";
  EXPECT_EQ(code({Result(v1::JOB_STATE_SUCCEEDED), consequence}), 143) << "never 0 when not all succeeded";
}

TEST(ExitCodeTest, FaultD21ZeroOnlyForExitZero) {
  v1::JobResult result;
  result.set_state(v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ExitCodeOf(result), 125) << "nobody saw an exit code";
  for (const int code : {256, -256, 512, 1 << 30}) {
    result.set_state(v1::JOB_STATE_FAILED);
    result.set_exit_code(code);
    EXPECT_EQ(ExitCodeOf(result), 125) << code;
    result.set_state(v1::JOB_STATE_SUCCEEDED);
    EXPECT_EQ(ExitCodeOf(result), 125) << code;
  }
  v1::JobResult signalled;
  signalled.set_state(v1::JOB_STATE_FAILED);
  for (const int signal : {128, 0, -128, 65}) {
    signalled.set_signal(signal);
    EXPECT_EQ(ExitCodeOf(signalled), 125) << signal;
  }
}

TEST(ExitCodeTest, FaultC22ErrorsOfVerbs) {
  const auto code = [](base::Code what) { return ExitCodeOf(base::Error(what, "x"), /*of_jobs=*/false); };
  EXPECT_EQ(code(base::Code::kInvalidArgument), 2);
  EXPECT_EQ(code(base::Code::kNotFound), 3);
  EXPECT_EQ(code(base::Code::kPermissionDenied), 4);
  EXPECT_EQ(code(base::Code::kUnauthenticated), 4);
  EXPECT_EQ(code(base::Code::kUnavailable), 125);
  EXPECT_EQ(ExitCodeOf(base::SysError("opening x", ENOENT), false), 125) << "a file of ours is no batch";
  for (const base::Code what : {base::Code::kNotFound, base::Code::kPermissionDenied})
    EXPECT_EQ(ExitCodeOf(base::Error(what, "x")), 125);
  EXPECT_EQ(
      ErrorToJson(base::Error(base::Code::kAlreadyExists, "m"), {{"--id", "p"}}).dump(),
      R"({"code":"ALREADY_EXISTS","reason":"CORRELATION_ID_REUSED","message":"m","violations":[{"field":"--id","problem":"p"}]})");
}

TEST(ExitCodeTest, TheServersTextIsEscapedAndCut) {
  v1::JobResult result = Result(v1::JOB_STATE_FAILED);
  result.mutable_reason()->set_text("\033[2J" + std::string(100'000, 'x'));
  EXPECT_THAT(Describe(result), testing::StartsWith("\\x1b[2J"));
  EXPECT_LT(Describe(result).size(), 1000u);
}

TEST(JsonViewTest, ExactlyHowItEnded) {
  v1::JobResult result = Result(v1::JOB_STATE_FAILED, v1::REASON_CODE_EXITED);
  result.set_exit_code(3);
  result.mutable_reason()->set_text("exit 3");
  EXPECT_EQ(
      ResultToJson(result).dump(),
      R"({"state":"FAILED","exit_code":3,"signal":null,"reason":{"code":"EXITED","text":"exit 3","step":null,"errno":null,"by":null,"detail":null}})");
  EXPECT_EQ(EndToJson("id", 2, Result(v1::JOB_STATE_QUEUED)).dump(),
            R"({"correlation_id":"id","index":2,"state":"QUEUED","exit_code":null,"signal":null,"reason":null})");
}

TEST(JsonViewTest, BytesAreNotLost) {
  EXPECT_EQ(BytesToJson("é").dump(), "\"é\"");
  EXPECT_EQ(BytesToJson("\xff").dump(), R"({"base64":"/w=="})");
}

TEST(JsonViewTest, JobAndBatchHaveAllFieldsAlways) {
  v1::JobStatus job;
  job.set_index(1);
  job.add_argv("a");
  const Json json = JobToJson("id", job);
  for (const char* key : {"correlation_id", "index", "name", "argv", "shell", "state", "exit_code", "signal", "reason", "attempt",
                          "executed_at", "ended_at", "usage", "stdout_bytes", "stderr_bytes", "dropped_bytes"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_TRUE(json.is_object());
  const Json batch = BatchToJson(v1::Batch());
  for (const char* key : {"correlation_id", "owner", "name", "labels", "state", "job_count", "counts", "created_at", "started_at",
                          "ended_at", "parallel", "fail_fast", "priority"}) {
    EXPECT_TRUE(batch.contains(key)) << key;
  }
}

TEST(StatesTest, Parse) {
  EXPECT_FALSE(ParseStates("").ok());
  EXPECT_FALSE(ParseStates("failed,").ok());
  EXPECT_THAT(ParseStates("faild").error().message(), testing::HasSubstr("did you mean 'failed'?"));
  EXPECT_THAT(*ParseStates("failed,OOM_KILLED"), testing::ElementsAre(v1::JOB_STATE_FAILED, v1::JOB_STATE_OOM_KILLED));
  EXPECT_EQ(*ParseStates("live"), LiveStates());
  EXPECT_EQ(*ParseStates("unsuccessful"), FailureStates());
}

TEST(ViewsTest, CommandLinesCanBeTyped) {
  v1::JobStatus job;
  job.add_argv("printf");
  job.add_argv("a b");
  job.add_argv("it's");
  job.add_argv("");
  EXPECT_EQ(CommandLine(job), R"(printf 'a b' 'it'\''s' '')");
}

}  // namespace
}  // namespace jobd::cli
