// jobctl run: run a command on the machine of jobd as if it ran here.
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <optional>

#include "base/text.h"
#include "cli/batch/job_options.h"
#include "cli/connect/reconnect.h"
#include "cli/connect/session.h"
#include "cli/connect/signals.h"
#include "cli/connect/wait_notice.h"
#include "cli/verbs/run_control.h"
#include "cli/verbs/verbs.h"
#include "cli/view/exit_code.h"
#include "cli/view/json_view.h"
#include "cli/view/log_printer.h"
#include "cli/view/proto_time.h"
#include "cli/view/time_text.h"
#include "jobd/v1/job_query_service.pb.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

struct Options {
  JobOptions job;
  bool detach = false;
  bool raw = false;
};

// The parser knows nothing of the command, so it could not show it in the usage.
class RunFormatter final : public CLI::Formatter {
 public:
  explicit RunFormatter(const CLI::FormatterBase& like) { column_width(like.get_column_width()); }
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: jobctl run [OPTIONS] [--] COMMAND [ARGUMENT…]\n\n";
  }
};

// A job that is ready to be sent.
struct Draft {
  JobDraft job;
  v1::BatchOptions options;  // with a correlation ID
  bool own_id = false;       // the ID is the user's own, so there may be such a batch already
};

// Submits the job as a batch of its own. Says when jobd had it before and so does not run it again.
base::Result<v1::SubmitBatchResponse> Submit(Session& session, Client& client, const Draft& draft) {
  v1::SubmitBatchResponse response;
  if (!draft.own_id) {  // the short way; it does not tell whether the batch is new, but this one is
    v1::ExecuteJobRequest request;
    *request.mutable_options() = draft.options;
    ToProto(draft.job, request.mutable_job());
    v1::ExecuteJobResponse executed;
    JOBD_RETURN_IF_ERROR(client.ExecuteJob(request, &executed));
    response.set_correlation_id(executed.correlation_id());
    return response;
  }
  JOBD_RETURN_IF_ERROR(client.SubmitBatch(draft.options, {draft.job}, &response));
  if (response.replayed()) {
    session.Say("jobd had accepted this job before (" + RelativeTime(FromTimestamp(response.created_at()), session.Now()) +
                "): it is not run again. To run it again, use another --id, or: jobctl retry " + response.correlation_id());
  }
  return response;
}

int RunDetached(Session& session, const Draft& draft) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  const auto response = Submit(session, **client, draft);
  if (!response.ok()) return session.Fail(response.error());
  if (session.json()) {
    session.PrintJson({{"correlation_id", response->correlation_id()}, {"job_count", 1}, {"replayed", response->replayed()}});
  } else {
    session.PrintLine(response->correlation_id());
  }
  return 0;
}

// Copies the job's output until the message of its end.
class Attachment {
 public:
  Attachment(Session& session, Client& client, RunControl& control, bool raw)
      : session_(session),
        client_(client),
        control_(control),
        // With JSON, standard output is for the result alone.
        printer_({.raw = raw}, session.json() ? session.err() : session.out(), session.err()) {}

  base::Status Follow(const std::string& correlation_id) {
    v1::StreamLogsRequest request;
    request.set_correlation_id(correlation_id);
    request.set_index(1);
    request.set_follow(true);
    WaitNotice notice(session_, client_, {correlation_id, 1, ""});
    Canceller never;
    JOBD_RETURN_IF_ERROR(ReadLogs(
        client_, request,
        [&](const v1::StreamLogsResponse& message) {
          notice.Stop();
          return OnMessage(message);
        },
        [this](const std::string& text) { session_.Say(text); }, &never));
    printer_.FinishAll();
    return base::Ok();
  }

  const std::optional<v1::JobResult>& result() const { return result_; }
  // The job was ended before it started.
  bool never_started() const { return never_started_; }
  bool broken_pipe() const { return broken_pipe_; }

 private:
  bool OnMessage(const v1::StreamLogsResponse& message) {
    for (const v1::LogChunk& chunk : message.chunks()) {
      if (chunk.dropped() > 0) session_.Say(std::to_string(chunk.dropped()) + " bytes of output were dropped here");
      const bool err = chunk.stream() == v1::LOG_STREAM_STDERR;
      printer_.Print(1, err ? LogPrinter::Stream::kStderr : LogPrinter::Stream::kStdout, FromTimestamp(chunk.time()), chunk.data());
    }
    for (const v1::LogEnd& end : message.ends()) {
      result_ = end.result();
      never_started_ = end.attempt() == 0;
      if (end.dropped_bytes() > 0) session_.Say(std::to_string(end.dropped_bytes()) + " bytes of output were dropped in all");
    }
    if (session_.out().ok()) return true;
    if (!session_.out().broken_pipe()) return false;
    if (!broken_pipe_) control_.BrokenPipe();
    broken_pipe_ = true;
    return true;  // the other stream and the end are still wanted
  }

  Session& session_;
  Client& client_;
  RunControl& control_;
  LogPrinter printer_;
  std::optional<v1::JobResult> result_;
  bool never_started_ = false;
  bool broken_pipe_ = false;
};

// Returns the exit code, and says on standard error how a job ended that did not succeed.
int Conclude(Session& session, const RunControl& control, const Attachment& attachment, const v1::JobResult& result) {
  int code = ExitCodeOf(result);
  const bool never = attachment.never_started() && result.state() == v1::JOB_STATE_CANCELLED;
  if (result.state() == v1::JOB_STATE_CANCELLED && control.interrupted()) code = kExitInterrupted;
  // That a job ends because the reader of its output left is usual in a pipeline: say nothing.
  const bool quietly = attachment.broken_pipe() && code == kExitBrokenPipe;
  if (code != kExitOk && !quietly) session.Say("the job " + Ending(result, never));
  return code;
}

// True when something waits at our standard input that somebody piped or redirected there on purpose.
bool HasInput() {
  struct stat info {};
  if (::fstat(STDIN_FILENO, &info) != 0) return false;
  if (S_ISREG(info.st_mode)) return info.st_size > 0 && ::lseek(STDIN_FILENO, 0, SEEK_CUR) == 0;
  int available = 0;
  return S_ISFIFO(info.st_mode) && ::ioctl(STDIN_FILENO, FIONREAD, &available) == 0 && available > 0;
}

// Submits the job, copies its output, passes signals on and returns the exit code that says how the job ended.
int RunAttached(Session& session, const Draft& draft, bool raw) {
  const std::string& id = draft.options.correlation_id();
  RunControl control(session, id);
  // Without SIGPIPE: when the reader of our output leaves, jobctl must live to tell the job.
  std::signal(SIGPIPE, SIG_IGN);
  auto signals = SignalThread::Create({SIGINT, SIGTERM, SIGQUIT, SIGHUP}, [&control](int signal) { control.OnSignal(signal); });
  if (!signals.ok()) return session.Fail(signals.error());
  control.Start();

  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  const auto response = Submit(session, **client, draft);
  if (!response.ok()) return session.Fail(response.error());
  control.Accepted(*client);

  Attachment attachment(session, **client, control, raw);
  if (auto status = attachment.Follow(response->correlation_id()); !status.ok()) {
    session.Say("the job goes on: jobctl logs -f " + id);
    session.Fail(status.error());
    return kExitFailed;
  }
  if (!session.out().ok() && !session.out().broken_pipe()) {
    session.Say("the job goes on: jobctl logs -f " + id);
    return kExitFailed;
  }
  if (!attachment.result()) {
    return session.Fail(base::Error(base::Code::kInternal, "jobd ended the stream without telling how the job ended"));
  }
  if (session.json()) session.PrintJson(EndToJson(id, 1, *attachment.result()));
  // Before the job has ended, a slow writer may not have written yet.
  if (!draft.job.stdin_data && HasInput())
    session.Say("the job did not get what was piped to jobctl; --stdin - passes it on (3 MiB at most)");
  return Conclude(session, control, attachment, *attachment.result());
}

// A program that writes to this terminal through us has to know what it can do.
void AddTerminal(Session& session, JobDraft& job) {
  for (const char* name : {"TERM", "NO_COLOR"}) {
    const auto value = session.env()(name);
    if (value) job.ambient_env.emplace_back(name, *value);
  }
}

base::Result<Draft> BuildDraft(Session& session, const Options& options, const std::vector<std::string>& command) {
  if (command.empty())
    return base::Error(base::Code::kInvalidArgument, "no command: jobctl run [OPTIONS] [--] COMMAND [ARGUMENT…]");
  Draft draft;
  JOBD_ASSIGN_OR_RETURN(draft.job, BuildJob(options.job));
  JOBD_ASSIGN_OR_RETURN(BatchDraft batch, BuildBatch(options.job));
  draft.job.argv = command;
  if (!options.detach && !session.json() && session.out().is_terminal()) AddTerminal(session, draft.job);
  draft.own_id = batch.fields.Find(*FindField(BatchFields(), "id")) != nullptr;
  EnsureId(batch, session.Now());
  ToProto(batch, &draft.options);
  return draft;
}

}  // namespace

void AddRun(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("run", "Run a command, show its output, end as it ended");
  app->formatter(std::make_shared<RunFormatter>(*root.get_formatter()));
  app->footer(
      "The command begins at the first word that is no option, or behind --. It is taken byte for byte; no shell reads it, unless\n"
      "--shell is given: then the first word is a script for sh -c.\n\n"
      "Exit code: the job's own; 128+n for signal n; 124 timed out; 125 jobd or jobctl failed; 126 not executable; 127 not found;\n"
      "137 out of memory; 143 cancelled.\n\n"
      "Ctrl-C sends SIGINT to the job, or cancels it if it has not started; a second within a second ends it with all its\n"
      "processes; a third leaves at once. SIGTERM to jobctl cancels the job; a second one leaves. SIGHUP (the terminal is gone)\n"
      "leaves the job alone: `jobctl logs -f ID` goes on.\n"
      "A lost link harms nothing: the job runs on, and run goes on where it was.\n\n"
      "Examples:\n"
      "  jobctl run -- make -j4 test\n"
      "  jobctl run --timeout 10m --memory 2G --env CI=1 -- ./build.sh\n"
      "  jobctl run --shell -- 'ls | wc -l'\n"
      "  id=$(jobctl run -d -- sleep 60)");
  auto options = std::make_shared<Options>();
  app->add_flag("-d,--detach", options->detach, "Print only the ID and leave; the job runs on");
  app->add_flag("--raw", options->raw, "Show escape sequences to the terminal as they are [JOBCTL_RAW]")->envname("JOBCTL_RAW");
  app->add_flag("--shell", options->job.shell, "The first argument is a script for sh -c, the others its parameters");
  AddJobOptions(*app, options->job);
  AddBatchOptions(*app, options->job);
  app->callback([options, &invocation] {
    invocation.action = [options, &invocation](Session& session) {
      session.ExitAsJobs();
      const auto draft = BuildDraft(session, *options, invocation.command);
      if (!draft.ok()) return session.Fail(draft.error());
      return options->detach ? RunDetached(session, *draft) : RunAttached(session, *draft, options->raw);
    };
  });
}

}  // namespace jobd::cli
