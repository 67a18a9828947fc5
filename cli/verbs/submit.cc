// jobctl submit: many jobs as one batch.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/batch/batch_file.h"
#include "cli/batch/job_keys.h"
#include "cli/batch/job_options.h"
#include "cli/connect/session.h"
#include "cli/connect/wait_notice.h"
#include "cli/verbs/await.h"
#include "cli/verbs/lasting.h"
#include "cli/verbs/log_follower.h"
#include "cli/verbs/verbs.h"
#include "cli/view/exit_code.h"
#include "cli/view/json_view.h"
#include "cli/view/progress.h"
#include "cli/view/states.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

struct Options {
  JobOptions job;
  std::string file;
  std::string format;
  bool wait = false;
  bool follow = false;
  bool raw = false;
};

// A batch as it will be sent, and where its author wrote what.
struct Draft {
  JobDraft job_options;
  BatchDraft batch_options;
  BatchFile batch;  // with what the options add to the jobs and override in the batch
};

base::Result<Draft> Load(const Session& session, const Options& options) {
  if (options.file.empty())
    return base::Error(base::Code::kInvalidArgument, "no batch file: jobctl submit -f FILE, or - for standard input");
  Draft draft;
  JOBD_ASSIGN_OR_RETURN(draft.job_options, BuildJob(options.job));
  JOBD_ASSIGN_OR_RETURN(draft.batch_options, BuildBatch(options.job));
  JOBD_ASSIGN_OR_RETURN(draft.batch, LoadBatchFile(options.file, options.format));
  for (JobDraft& job : draft.batch.jobs) ApplyDefaults(job, draft.job_options);
  Override(draft.batch.options, draft.batch_options);
  EnsureId(draft.batch.options, session.Now());
  return draft;
}

// "argv, shell, …", in lines that begin below each other.
std::string Listed(const std::vector<std::string>& words, std::string_view but = "") {
  constexpr size_t kLongestLine = 110;
  std::string text;
  size_t column = std::string_view("Batch options: ").size();
  for (const std::string& word : words) {
    if (word == but) continue;
    const bool fits = column + word.size() + 2 <= kLongestLine;
    if (!text.empty()) text += fits ? ", " : ",\n";
    column = fits ? column + word.size() + 2 : word.size();
    text += word;
  }
  return text;
}

int WaitFor(Session& session, Lasting& lasting, const std::string& id, Json accepted) {
  ProgressLine line(session.err(), session.ShowsProgress());
  AwaitOptions options;
  options.on_update = [&line](const v1::Batch& batch) { line.Update(CountJobs(batch)); };
  options.say = [&](const std::string& text) {
    line.Clear();
    session.Say(text);
  };
  const auto ended = [&] {
    const WaitNotice notice(session, lasting.client(), {id, std::nullopt, ""},
                            [&line](const std::string& why) { line.SetWaits(why); });
    return AwaitEnd(lasting.client(), {id, std::nullopt, ""}, options, lasting.canceller());
  }();
  line.Clear();
  if (lasting.left()) {
    session.Say("left; the batch goes on: jobctl wait " + id + ", or jobctl logs -f " + id);
    return kExitInterrupted;
  }
  if (!ended.ok()) return session.Fail(ended.error());
  if (session.json()) {
    accepted.update(ToJson(*ended));
    session.PrintJson(accepted);
  } else if (ended->exit_code != kExitOk && session.err().is_terminal()) {
    const uint32_t succeeded = CountOf(ended->batch, v1::JOB_STATE_SUCCEEDED);
    session.Say("of " + std::to_string(ended->batch.job_count()) + " jobs " + std::to_string(succeeded) +
                " succeeded: jobctl status " + id);
  }
  return ended->exit_code;
}

int Follow(Session& session, Lasting& lasting, const v1::SubmitBatchResponse& accepted, bool raw) {
  LogRequest request;
  request.ref = {accepted.correlation_id(), std::nullopt, ""};
  request.follow = true;
  request.attempt = 0;
  request.jobs = accepted.job_count();
  request.format.raw = raw;
  request.format.prefix = accepted.job_count() > 1;
  const auto code = FollowLogs(session, lasting.client(), request, lasting.canceller());
  if (!code.ok()) return session.Fail(code.error());
  if (lasting.left()) session.Say("left; the batch goes on: jobctl logs -f " + accepted.correlation_id());
  return *code;
}

int Submit(Session& session, const Options& options) {
  if (options.wait || options.follow) session.ExitAsJobs();
  const auto draft = Load(session, options);
  if (!draft.ok()) return session.Fail(draft.error());
  session.SetAuthored(
      {options.file == "-" ? "standard input" : options.file, &draft->batch.jobs, &draft->job_options, &draft->batch_options});
  const auto lasting = Lasting::Begin(session, options.follow ? Lasting::Reader::kNeeded : Lasting::Reader::kNotNeeded);
  if (!lasting.ok()) return session.Fail(lasting.error());
  v1::BatchOptions batch_options;
  ToProto(draft->batch.options, &batch_options);
  v1::SubmitBatchResponse response;
  if (auto status = (*lasting)->client().SubmitBatch(batch_options, draft->batch.jobs, &response); !status.ok())
    return session.Fail(status.error());
  (*lasting)->StreamsBegin();
  const std::string& id = response.correlation_id();
  const Json accepted{{"correlation_id", id},
                      {"job_count", response.job_count()},
                      {"created_at", TimeToJson(response.created_at())},
                      {"replayed", response.replayed()}};
  if (options.follow) {
    session.Say("batch " + id);  // standard output is for what the jobs print
  } else if (!session.json()) {
    session.PrintLine(id);
  } else if (!options.wait) {
    session.PrintJson(accepted);
  }
  if (response.replayed()) session.Say("jobd had accepted this batch before; nothing is run again");
  if (options.follow) return Follow(session, **lasting, response, options.raw);
  return options.wait ? WaitFor(session, **lasting, id, accepted) : kExitOk;
}

}  // namespace

void AddSubmit(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("submit", "Submit a batch of jobs from a file and print its ID");
  app->footer(
      std::string("The file has a job per line or list item. By its extension, or else its content, it is one of\n"
                  "  JSON Lines   {\"argv\": [\"ls\", \"-l\"]}   or   {\"shell\": \"ls | wc -l\", \"timeout\": \"10m\"}\n"
                  "  JSON, YAML   a list of such jobs, or `jobs:` beside batch options and `defaults:` for all jobs;\n"
                  "               a job that is a text is a shell command\n"
                  "  plain lines  a shell command each, which goes on in the next line behind a \\ at its end; blank lines and\n"
                  "               lines that begin with # are skipped\n"
                  "  a script     that begins with #!: one job\n") +
      "Batch options: " + Listed(BatchKeys(), "jobs") + ".\nKeys of a job: " + Listed(JobKeys()) +
      ".\n"
      "Options given here are defaults for every job; options of the batch given here override the file's.\n"
      "Bytes that are no UTF-8 are written {\"base64\": \"…\"}.\n\n"
      "Exit code: 0 when it was accepted; with --wait or --follow the largest of the jobs' (with --fail-fast, of\n"
      "those that failed, not of those that were cancelled for it). Ctrl-C leaves; the batch goes on.\n\n"
      "Examples:\n"
      "  jobctl submit --parallel 4 -f jobs.yaml\n"
      "  printf 'make a\\nmake b\\n' | jobctl submit --wait -");
  auto options = std::make_shared<Options>();
  auto* file = app->add_option("-f,--file", options->file, "Batch file; - is standard input")->type_name("FILE");
  app->add_option_function<std::string>(
         "FILE", [options](const std::string& value) { options->file = value; }, "The same without -f")
      ->type_name("")
      ->excludes(file);
  app->add_option("--format", options->format, "What the file is, when neither name nor content tells")
      ->type_name("yaml|json|lines");
  auto* wait = app->add_flag("--wait", options->wait, "Wait for the end; on a terminal show how far it is");
  app->add_flag("--follow", options->follow, "Show the jobs' output until the end")->excludes(wait);
  app->add_flag("--raw", options->raw, "With --follow: show escape sequences to the terminal as they are [JOBCTL_RAW]")
      ->envname("JOBCTL_RAW");
  AddJobOptions(*app, options->job);
  AddBatchOptions(*app, options->job);
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Submit(session, *options); }; });
}

}  // namespace jobd::cli
