// jobctl logs: what jobs printed.
#include <CLI/CLI.hpp>
#include <charconv>

#include "cli/connect/session.h"
#include "cli/verbs/log_follower.h"
#include "cli/verbs/verbs.h"
#include "cli/view/exit_code.h"
#include "cli/view/time_text.h"
#include "jobd/v1/types.pb.h"

namespace jobd::cli {

namespace {

struct Options {
  std::string id;
  std::string owner;
  std::optional<std::string> lines;
  std::optional<std::string> since;
  std::optional<std::string> until;
  std::optional<std::string> cursor;
  bool follow = false;
  bool timestamps = false;
  bool out = false;
  bool err = false;
  bool prefix = false;
  bool raw = false;
};

base::Result<std::optional<base::Nanos>> Time(const std::optional<std::string>& text, const char* option, base::Nanos now) {
  if (!text) return std::optional<base::Nanos>();
  auto time = ParseTime(*text, now);
  if (!time.ok()) return std::move(time).error().WithContext(option);
  return std::optional<base::Nanos>(*time);
}

base::Result<LogRequest> Build(const Options& options, base::Nanos now) {
  LogRequest request;
  if (options.lines) {
    uint64_t lines = 0;
    const char* const end = options.lines->data() + options.lines->size();
    const auto [stopped, error] = std::from_chars(options.lines->data(), end, lines);
    if (error != std::errc() || stopped != end)
      return base::Error(base::Code::kInvalidArgument, "-n: '" + *options.lines + "' is not a number of lines");
    request.tail_lines = lines;
  }
  JOBD_ASSIGN_OR_RETURN(request.since, Time(options.since, "--since", now));
  JOBD_ASSIGN_OR_RETURN(request.until, Time(options.until, "--until", now));
  request.cursor = options.cursor;
  request.follow = options.follow;
  if (options.out != options.err) request.streams = options.out ? LogRequest::Streams::kStdout : LogRequest::Streams::kStderr;
  request.format.timestamps = options.timestamps;
  request.format.raw = options.raw;
  request.format.prefix = options.prefix;
  return request;
}

int Logs(Session& session, const Options& options) {
  auto request = Build(options, session.Now());
  if (!request.ok()) return session.Fail(request.error());
  auto ref = ParseJobRef(options.id, options.owner);
  if (!ref.ok()) return session.Fail(ref.error());
  Canceller canceller;
  std::unique_ptr<SignalThread> signals;
  if (options.follow) {
    auto made = LeaveOnInterrupt(session, &canceller);
    if (!made.ok()) return session.Fail(made.error());
    signals = std::move(made).value();
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::Batch batch;
  const bool whole = !ref->index;
  ref = ResolveJobRef(**client, std::move(ref).value(), whole ? &batch : nullptr);
  if (!ref.ok()) return session.Fail(ref.error());
  request->ref = *ref;
  // Lines of several jobs say whose they are.
  request->format.prefix = request->format.prefix || (whole && batch.job_count() > 1);
  const auto code = FollowLogs(session, **client, *request, &canceller);
  if (!code.ok()) return session.Fail(code.error());
  return kExitOk;
}

}  // namespace

void AddLogs(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("logs", "Show what a job or a whole batch printed");
  app->footer(
      "Each stream goes to its own: stdout to standard output, stderr to standard error; with --stderr alone to standard output. "
      "The\n"
      "jobs of a batch are merged in order of arrival, with the job's number before each line. On a terminal colours, CR\n"
      "and BS pass, and other escape sequences are shown instead of obeyed; in a pipe, or with --raw, the bytes are exact.\n"
      "-o jsonl prints chunks as JSON, with the cursor behind which --cursor goes on.\n\n"
      "TIME is 2026-01-02T15:04:05Z, '2026-01-02 15:04' (local), 15:04 (today), or how long ago: 10m.\n\n"
      "With -f, Ctrl-C only leaves; a lost link is made again, and nothing is lost or repeated.\n"
      "Exit code: 0 when the log was shown to its end, however the jobs ended.");
  auto options = std::make_shared<Options>();
  const auto text = [app, &options](const char* flags, std::optional<std::string>& field, const char* type, const char* help) {
    return app
        ->add_option_function<std::string>(
            flags, [keep = options, &field](const std::string& value) { field = value; }, help)
        ->type_name(type);
  };
  app->add_option("ID", options->id, "A batch, or a job as ID/INDEX; `last` is the newest batch")->required();
  app->add_flag("-f,--follow", options->follow, "Go on until the end, and say how it ended");
  auto* lines = text("-n,--tail", options->lines, "N", "Begin N lines before the end");
  auto* since = text("--since", options->since, "TIME", "Begin with what was printed then");
  auto* cursor = text("--cursor", options->cursor, "CURSOR", "Begin behind an earlier message");
  lines->excludes(since)->excludes(cursor);
  since->excludes(cursor);
  text("--until", options->until, "TIME", "End with what was printed then");
  app->add_flag("-t,--timestamps", options->timestamps, "Begin each line with the time it was printed");
  app->add_flag("--stdout", options->out, "Only standard output");
  app->add_flag("--stderr", options->err, "Only standard error");
  app->add_flag("--prefix", options->prefix, "Begin each line with the job's number, even if there is but one job");
  app->add_flag("--raw", options->raw, "Exact bytes to a terminal, too");
  app->add_option("--owner", options->owner, "Whose batch; default: your own")->type_name("NAME");
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Logs(session, *options); }; });
}

}  // namespace jobd::cli
