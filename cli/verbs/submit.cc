// jobctl submit: many jobs as one batch.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/batch/batch_file.h"
#include "cli/batch/job_keys.h"
#include "cli/batch/job_options.h"
#include "cli/connect/session.h"
#include "cli/verbs/await.h"
#include "cli/verbs/log_follower.h"
#include "cli/verbs/verbs.h"
#include "cli/view/json_view.h"
#include "cli/view/progress.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

struct Options {
  JobOptions job;
  std::string file;
  bool wait = false;
  bool follow = false;
  bool raw = false;
};

// The file's jobs and options, with what the command line adds to the one and overrides in the other.
base::Result<BatchFile> Load(const Session& session, const Options& options) {
  if (options.file.empty())
    return base::Error(base::Code::kInvalidArgument, "no batch file: jobctl submit -f FILE, or - for standard input");
  JOBD_ASSIGN_OR_RETURN(const JobDraft defaults, BuildJob(options.job));
  JOBD_ASSIGN_OR_RETURN(const BatchDraft over, BuildBatch(options.job));
  JOBD_ASSIGN_OR_RETURN(BatchFile batch, LoadBatchFile(options.file));
  for (JobDraft& job : batch.jobs) ApplyDefaults(job, defaults);
  Override(batch.options, over);
  EnsureId(batch.options, session.Now());
  return batch;
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

int WaitFor(Session& session, Client& client, const std::string& id) {
  ProgressLine line(session.err(), !session.options().quiet);
  AwaitOptions options;
  options.on_update = [&line](const v1::Batch& batch) { line.Update(CountJobs(batch), base::SystemClock().Monotonic()); };
  options.say = [&](const std::string& text) {
    line.Clear();
    session.Say(text);
  };
  Canceller never;
  const auto code = AwaitEnd(client, {id, std::nullopt, ""}, options, &never);
  line.Clear();
  return code.ok() ? *code : session.Fail(code.error());
}

int Submit(Session& session, const Options& options) {
  const auto batch = Load(session, options);
  if (!batch.ok()) return session.Fail(batch.error());
  Canceller canceller;
  std::unique_ptr<SignalThread> signals;
  if (options.follow) {
    auto made = LeaveOnInterrupt(session, &canceller);
    if (!made.ok()) return session.Fail(made.error());
    signals = std::move(made).value();
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::BatchOptions batch_options;
  ToProto(batch->options, &batch_options);
  v1::SubmitBatchResponse response;
  if (auto status = (*client)->SubmitBatch(batch_options, batch->jobs, &response); !status.ok())
    return session.Fail(status.error());
  const std::string& id = response.correlation_id();
  if (options.follow) {
    session.Say("batch " + id);  // standard output is for what the jobs print
  } else if (session.json()) {
    session.PrintJson({{"correlation_id", id},
                       {"job_count", response.job_count()},
                       {"created_at", TimeToJson(response.created_at())},
                       {"replayed", response.replayed()}});
  } else {
    session.PrintLine(id);
  }
  if (response.replayed()) session.Say("jobd had accepted this batch before; nothing is run again");
  if (options.follow) {
    LogRequest request;
    request.ref = {id, std::nullopt, ""};
    request.follow = true;
    request.format.raw = options.raw;
    request.format.prefix = response.job_count() > 1;
    const auto code = FollowLogs(session, **client, request, &canceller);
    return code.ok() ? *code : session.Fail(code.error());
  }
  return options.wait ? WaitFor(session, **client, id) : 0;
}

}  // namespace

void AddSubmit(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("submit", "Submit a batch of jobs from a file and print its ID");
  app->footer(std::string("The file has a job per line or list item. By its extension, or else its content, it is one of\n"
                          "  JSON Lines   {\"argv\": [\"ls\", \"-l\"]}   or   {\"shell\": \"ls | wc -l\", \"timeout\": \"10m\"}\n"
                          "  JSON, YAML   a list of such jobs, or `jobs:` beside batch options\n"
                          "  plain lines  a shell command each; blank lines and lines that begin with # are skipped\n") +
              "Batch options: " + Listed(BatchKeys(), "jobs") + ".\nKeys of a job: " + Listed(JobKeys()) +
              ".\n"
              "Options given here are defaults for every job; options of the batch given here override the file's.\n"
              "Bytes that are no UTF-8 are written {\"base64\": \"…\"}.\n\n"
              "Exit code: 0 when it was accepted; with --wait or --follow the largest of the jobs' (with --fail-fast, of\n"
              "those that failed, not of those that were cancelled for it).\n\n"
              "Examples:\n"
              "  jobctl submit --parallel 4 -f jobs.yaml\n"
              "  printf 'make a\\nmake b\\n' | jobctl submit --wait -");
  auto options = std::make_shared<Options>();
  auto* file = app->add_option("-f,--file", options->file, "Batch file; - is standard input")->type_name("FILE");
  app->add_option_function<std::string>(
         "FILE", [options](const std::string& value) { options->file = value; }, "The same without -f")
      ->type_name("")
      ->excludes(file);
  auto* wait = app->add_flag("--wait", options->wait, "Wait for the end; on a terminal show how far it is");
  app->add_flag("--follow", options->follow, "Show the jobs' output until the end")->excludes(wait);
  app->add_flag("--raw", options->raw, "With --follow: show escape sequences to the terminal as they are");
  AddJobOptions(*app, options->job);
  AddBatchOptions(*app, options->job);
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Submit(session, *options); }; });
}

}  // namespace jobd::cli
