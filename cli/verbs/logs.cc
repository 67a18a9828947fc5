// jobctl logs: what jobs printed.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <charconv>
#include <thread>

#include "base/bounds.h"
#include "cli/connect/check/answer_check.h"
#include "cli/connect/session.h"
#include "cli/verbs/lasting.h"
#include "cli/verbs/log_follower.h"
#include "cli/verbs/verbs.h"
#include "cli/view/exit_code.h"
#include "cli/view/states.h"
#include "cli/view/time_text.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::cli {

namespace {

// jobd takes 128 streams on a connection.
constexpr size_t kMaxFollowed = 100;

struct Options {
  std::vector<std::string> ids;
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
  uint32_t attempt = 0;  // 0: the last
  bool all_attempts = false;
};

base::Result<std::optional<base::Nanos>> Time(const std::optional<std::string>& text, const char* option, base::Nanos now) {
  if (!text) return std::optional<base::Nanos>();
  auto time = ParseTime(*text, now);
  if (!time.ok()) return std::move(time).error().WithContext(option);
  return std::optional<base::Nanos>(*time);
}

base::Result<LogRequest> Build(const Options& options, base::Nanos now) {
  LogRequest request;
  if (options.lines && *options.lines != "all") {
    uint64_t lines = 0;
    const char* const end = options.lines->data() + options.lines->size();
    const auto [stopped, error] = std::from_chars(options.lines->data(), end, lines);
    if (error != std::errc() || stopped != end)
      return base::Error(base::Code::kInvalidArgument, "-n: '" + *options.lines + "' is neither a number of lines nor all");
    request.tail_lines = lines;
  }
  JOBD_ASSIGN_OR_RETURN(request.since, Time(options.since, "--since", now));
  JOBD_ASSIGN_OR_RETURN(request.until, Time(options.until, "--until", now));
  request.cursor = options.cursor;
  request.follow = options.follow;
  if (options.attempt != 0) request.attempt = static_cast<int32_t>(options.attempt);
  if (options.all_attempts) request.attempt = 0;
  if (options.out != options.err) request.streams = options.out ? LogRequest::Streams::kStdout : LogRequest::Streams::kStderr;
  request.format.timestamps = options.timestamps;
  request.format.raw = options.raw;
  request.format.prefix = options.prefix;
  return request;
}

// Where no job of a batch has had so many attempts there is nothing to show, which must not look like an attempt that printed
// nothing. (Of a single job jobd says so itself.)
base::Status CheckAttempt(Client& client, const JobRef& ref, uint32_t attempt) {
  v1::GetBatchRequest request;
  request.set_correlation_id(ref.correlation_id);
  request.set_owner(ref.owner);
  PageGuard pages(base::kMaxJobs);
  uint32_t most = 0;
  uint32_t jobs = 0;
  v1::GetBatchResponse response;
  do {
    request.set_page_token(response.next_page_token());
    JOBD_RETURN_IF_ERROR(client.GetBatch(request, &response));
    JOBD_RETURN_IF_ERROR(pages.Add(static_cast<size_t>(response.jobs_size()), response.ByteSizeLong(), response.next_page_token()));
    for (const v1::JobStatus& job : response.jobs()) {
      most = std::max(most, job.attempt());
      ++jobs;
    }
    if (most >= attempt) return base::Ok();
  } while (!response.next_page_token().empty());
  return base::Error(base::Code::kNotFound, "there is no attempt " + std::to_string(attempt) + ": " +
                                                (jobs == 1 ? "the job has" : "its jobs have") + " had " +
                                                (most == 0   ? "none yet"
                                                 : most == 1 ? "one alone"
                                                             : std::to_string(most) + (jobs == 1 ? "" : " at most")));
}

// What to show of one batch or job; with `several`, lines say of which.
base::Result<LogRequest> Resolve(Client& client, LogRequest request, const std::string& id, const Options& options, bool several) {
  v1::Batch batch;
  const auto whole_ref = WholeRef(id, options.owner);
  const bool is_job = whole_ref && whole_ref->index;
  JOBD_ASSIGN_OR_RETURN(request.ref, FindJob(client, id, options.owner, is_job ? nullptr : &batch));
  const bool whole = !request.ref.index;
  // Lines of several jobs say whose they are.
  request.format.prefix = request.format.prefix || several || (whole && batch.job_count() > 1);
  const bool may_come = options.follow && !IsFinal(batch.state());
  if (options.attempt != 0 && whole && !may_come) JOBD_RETURN_IF_ERROR(CheckAttempt(client, request.ref, options.attempt));
  const bool all_ends = !options.cursor && !options.until && options.attempt == 0;
  if (options.follow && all_ends) request.jobs = whole ? batch.job_count() : 1;
  if (several) request.format.label = id.substr(0, id.find('/')) + "/";
  return request;
}

// Each as it comes, all at once. Returns the exit code.
int FollowAll(Session& session, Lasting& lasting, const std::vector<LogRequest>& requests) {
  std::atomic<int> code = kExitOk;
  std::vector<std::thread> threads;
  for (const LogRequest& request : requests) {
    threads.emplace_back([&] {
      auto shown = FollowLogs(session, lasting.client(), request, lasting.canceller());
      if (!shown.ok()) code = session.Fail(std::move(shown).error().WithContext(request.ref.ToString()));
    });
  }
  for (std::thread& thread : threads) thread.join();
  return code;
}

int Logs(Session& session, const Options& options) {
  auto request = Build(options, session.Now());
  if (!request.ok()) return session.Fail(request.error());
  if (options.ids.size() > 1 && options.cursor)
    return session.Fail(base::Error(base::Code::kInvalidArgument, "--cursor: belongs to one ID, not to several"));
  if (options.follow && options.ids.size() > kMaxFollowed) {
    return session.Fail(base::Error(base::Code::kInvalidArgument, "-f: follows at most " + std::to_string(kMaxFollowed) +
                                                                      " IDs at once, not " + std::to_string(options.ids.size())));
  }
  const auto lasting = Lasting::Begin(session, options.follow ? Lasting::Reader::kNeeded : Lasting::Reader::kNotNeeded);
  if (!lasting.ok()) return session.Fail(lasting.error());
  std::vector<LogRequest> requests;
  for (const std::string& id : options.ids) {
    auto resolved = Resolve((*lasting)->client(), *request, id, options, options.ids.size() > 1);
    if (!resolved.ok()) return session.Fail(resolved.error());
    requests.push_back(std::move(resolved).value());
  }
  if (options.follow) (*lasting)->StreamsBegin();
  if (options.follow && requests.size() > 1) return FollowAll(session, **lasting, requests);
  for (const LogRequest& one : requests) {
    auto code = FollowLogs(session, (*lasting)->client(), one, (*lasting)->canceller());
    if (!code.ok()) return session.Fail(std::move(code).error().WithContext(one.ref.ToString()));
  }
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
      "TIME is 2026-01-02T15:04:05Z, '2026-01-02 15:04' (local), 15:04 (today), today, yesterday, a number of seconds since 1970,\n"
      "or how long ago, with its unit: 90s, 10m.\n\n"
      "With -f, Ctrl-C only leaves; a lost link is made again, and nothing is lost or repeated.\n"
      "Exit code: 0 when the log was shown to its end, however the jobs ended.");
  auto options = std::make_shared<Options>();
  const auto text = [app, &options](const char* flags, std::optional<std::string>& field, const char* type, const char* help) {
    return app
        ->add_option_function<std::string>(
            flags, [keep = options, &field](const std::string& value) { field = value; }, help)
        ->type_name(type);
  };
  app->add_option("ID", options->ids, kAddressHelp)->required();
  app->add_flag("-f,--follow", options->follow, "Go on until the end, and say how it ended");
  auto* lines = text("-n,--tail", options->lines, "N",
                     "Begin N lines before the end; all: at the beginning. With --since, whichever is later");
  auto* since = text("--since", options->since, "TIME", "Begin with what was printed then");
  auto* cursor = text("--cursor", options->cursor, "CURSOR", "Begin behind an earlier message");
  lines->excludes(cursor);
  since->excludes(cursor);
  text("--until", options->until, "TIME", "End with what was printed then");
  app->add_flag("-t,--timestamps", options->timestamps, "Begin each line with the time it was printed, with fraction and zone");
  app->add_flag("--stdout", options->out, "Only standard output");
  app->add_flag("--stderr", options->err, "Only standard error");
  app->add_flag("--prefix", options->prefix, "Begin each line with the job's number, even if there is but one job");
  app->add_flag("--raw", options->raw, "Exact bytes to a terminal, too [JOBCTL_RAW]")->envname("JOBCTL_RAW");
  auto* attempt = app->add_option("--attempt", options->attempt, "Only this attempt of a job that was retried; default: the last")
                      ->type_name("N")
                      ->check(CLI::Range(1, 1'000'000'000));
  app->add_flag("--all-attempts", options->all_attempts, "All attempts, with a word on standard error where the next one begins")
      ->excludes(attempt);
  app->add_option("--owner", options->owner, "Whose batch; default: your own")->type_name("NAME");
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Logs(session, *options); }; });
}

}  // namespace jobd::cli
