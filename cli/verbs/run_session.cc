#include "cli/verbs/run_session.h"

#include <csignal>
#include <optional>

#include "cli/connect/session.h"
#include "cli/connect/signals.h"
#include "cli/verbs/follow.h"
#include "cli/verbs/run_control.h"
#include "cli/view/exit_code.h"
#include "cli/view/json_view.h"
#include "cli/view/log_printer.h"
#include "cli/view/proto_time.h"
#include "jobd/v1/job_query_service.pb.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

// Copies the job's output until its end is told.
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
    Canceller never;
    JOBD_RETURN_IF_ERROR(ReadLogs(
        client_, request, [this](const v1::StreamLogsResponse& message) { return OnMessage(message); },
        [this](const std::string& text) { session_.Say(text); }, &never));
    printer_.FinishAll();
    return base::Ok();
  }

  const std::optional<v1::JobResult>& result() const { return result_; }
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
  bool broken_pipe_ = false;
};

// The code, and a word on standard error when it was no plain success.
int Conclude(Session& session, const RunControl& control, const Attachment& attachment, const v1::JobResult& result) {
  int code = ExitCodeOf(result);
  if (result.state() == v1::JOB_STATE_CANCELLED && control.interrupted()) code = kExitInterrupted;
  // A job that died of our reader's leaving is what a pipeline is for: no word about that.
  const bool quietly = attachment.broken_pipe() && code == kExitBrokenPipe;
  if (code != kExitOk && !quietly) session.Say("the job " + Ending(result));
  return code;
}

}  // namespace

int RunAttached(Session& session, const v1::ExecuteJobRequest& request, bool raw) {
  const std::string& id = request.options().correlation_id();
  RunControl control(session, id);
  // Before any other thread, and without SIGPIPE: when the reader of our output leaves, the job must be told.
  std::signal(SIGPIPE, SIG_IGN);
  auto signals = SignalThread::Create({SIGINT, SIGTERM, SIGQUIT, SIGHUP}, [&control](int signal) { control.OnSignal(signal); });
  if (!signals.ok()) return session.Fail(signals.error());
  control.Start();

  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::ExecuteJobResponse response;
  if (auto status = (*client)->ExecuteJob(request, &response); !status.ok()) return session.Fail(status.error());
  control.Accepted(*client);

  Attachment attachment(session, **client, control, raw);
  if (auto status = attachment.Follow(response.correlation_id()); !status.ok()) {
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
  return Conclude(session, control, attachment, *attachment.result());
}

}  // namespace jobd::cli
