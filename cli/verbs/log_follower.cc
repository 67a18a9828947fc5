#include "cli/verbs/log_follower.h"

#include <map>
#include <utility>
#include <vector>

#include "cli/connect/reconnect.h"
#include "cli/connect/session.h"
#include "cli/connect/wait_notice.h"
#include "cli/view/exit_code.h"
#include "cli/view/json_view.h"
#include "cli/view/proto_time.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::cli {

namespace {

v1::StreamLogsRequest ToProto(const LogRequest& log) {
  v1::StreamLogsRequest request;
  request.set_correlation_id(log.ref.correlation_id);
  request.set_owner(log.ref.owner);
  if (log.ref.index) request.set_index(*log.ref.index);
  if (log.streams == LogRequest::Streams::kStdout) request.set_stream(v1::LOG_STREAM_STDOUT);
  if (log.streams == LogRequest::Streams::kStderr) request.set_stream(v1::LOG_STREAM_STDERR);
  if (log.cursor) request.set_cursor(*log.cursor);
  if (log.tail_lines) request.set_tail_lines(*log.tail_lines);
  if (log.since && !log.tail_lines) *request.mutable_since() = ToTimestamp(*log.since);
  if (log.until) *request.mutable_until() = ToTimestamp(*log.until);
  request.set_follow(log.follow);
  request.set_attempt(log.attempt);
  return request;
}

class Follower {
 public:
  Follower(Session& session, const LogRequest& log)
      : session_(session), log_(log), printer_(Format(session, log), session.out(), session.err()) {}

  bool OnMessage(const v1::StreamLogsResponse& message) {
    for (int i = 0; i < message.chunks_size(); ++i) {
      const v1::LogChunk& chunk = message.chunks(i);
      // jobd begins at one of the two: of the last lines, those before the time are left away here.
      if (log_.tail_lines && log_.since && FromTimestamp(chunk.time()) < *log_.since) continue;
      if (session_.json()) {
        const bool last = i + 1 == message.chunks_size();
        PrintJson(chunk, last ? message.cursor() : "");
      } else {
        Print(chunk);
      }
    }
    for (const v1::LogEnd& end : message.ends()) OnEnd(end);
    return session_.out().ok();
  }

  int Finish() {
    printer_.FinishAll();
    return largest_.code();
  }

  // Nobody reads any longer: there is nothing to expect.
  bool left() const { return !session_.out().ok(); }
  uint32_t ended() const { return ended_count_; }

 private:
  static LogFormat Format(Session& session, const LogRequest& log) {
    LogFormat format = log.format;
    format.color = session.Color(session.out());
    // Who asks for stderr alone asks for it as data.
    format.merge_into_stdout = log.streams == LogRequest::Streams::kStderr;
    return format;
  }

  std::string Name(uint32_t index) const { return log_.format.prefix ? "job " + std::to_string(index) : "the job"; }

  // Says where another attempt of the job begins, before the first of its output.
  void NoteAttempt(const v1::LogChunk& chunk) {
    uint32_t& shown = attempts_[chunk.index()];
    const bool first = shown == 0;
    if (chunk.attempt() == 0 || chunk.attempt() == std::exchange(shown, chunk.attempt())) return;
    if (first && (chunk.attempt() == 1 || log_.attempt != 0)) return;
    printer_.Finish(chunk.index());
    session_.Say("---- attempt " + std::to_string(chunk.attempt()) + " of " + Name(chunk.index()) + " ----");
  }

  void Print(const v1::LogChunk& chunk) {
    NoteAttempt(chunk);
    if (chunk.dropped() > 0)
      session_.Say(Name(chunk.index()) + ": " + std::to_string(chunk.dropped()) + " bytes of output were dropped here");
    const bool err = chunk.stream() == v1::LOG_STREAM_STDERR;
    printer_.Print(chunk.index(), err ? LogPrinter::Stream::kStderr : LogPrinter::Stream::kStdout, FromTimestamp(chunk.time()),
                   chunk.data());
  }

  void PrintJson(const v1::LogChunk& chunk, const std::string& cursor) {
    const Json json{{"correlation_id", log_.ref.correlation_id},
                    {"index", chunk.index()},
                    {"stream", chunk.stream() == v1::LOG_STREAM_STDERR ? "stderr" : "stdout"},
                    {"attempt", chunk.attempt()},
                    {"offset", chunk.offset()},
                    {"time", TimeToJson(chunk.time())},
                    {"data", BytesToJson(chunk.data())},
                    {"dropped", chunk.dropped()},
                    {"cursor", cursor.empty() ? Json(nullptr) : Json(cursor)}};
    session_.PrintJsonLine(json);
  }

  // Each job once, however often its end is told.
  void Count(uint32_t index) {
    if (log_.jobs == 0) return;
    if (index >= ended_.size()) ended_.resize(size_t{index} + 1);
    if (!ended_[index]) ++ended_count_;
    ended_[index] = true;
  }

  void OnEnd(const v1::LogEnd& end) {
    printer_.Finish(end.index());
    const int code = ExitCodeOf(end.result());
    largest_.Add(end.result());
    Count(end.index());
    if (session_.json()) session_.PrintJsonLine(EndToJson(log_.ref.correlation_id, end.index(), end.result()));
    if (code != kExitOk) session_.Say(Name(end.index()) + " " + Ending(end.result(), end.attempt() == 0));
  }

  Session& session_;
  const LogRequest& log_;
  LogPrinter printer_;
  LargestExitCode largest_;
  std::vector<bool> ended_;  // by index
  uint32_t ended_count_ = 0;
  std::map<uint32_t, uint32_t> attempts_;  // of each job, the one of which something was shown last
};

}  // namespace

base::Result<int> FollowLogs(Session& session, Client& client, const LogRequest& request, Canceller* canceller) {
  Follower follower(session, request);
  std::optional<WaitNotice> notice;
  if (request.follow) notice.emplace(session, client, request.ref);
  JOBD_RETURN_IF_ERROR(ReadLogs(
      client, ToProto(request),
      [&](const v1::StreamLogsResponse& message) {
        if (notice) notice->Stop();
        return follower.OnMessage(message);
      },
      [&session](const std::string& text) { session.Say(text); }, canceller));
  const int largest = follower.Finish();
  if (canceller->cancelled()) return kExitInterrupted;
  if (request.follow && !follower.left() && follower.ended() < request.jobs) {
    return base::Error(base::Code::kDataLoss,
                       "the log ended before jobd had told how " +
                           (request.jobs == 1 ? "the job" : std::to_string(request.jobs - follower.ended()) + " of the jobs") +
                           " ended: jobctl wait " + request.ref.ToString());
  }
  return largest;
}

}  // namespace jobd::cli
