// jobctl run: feels like running it at home.
#include <CLI/CLI.hpp>

#include "cli/batch/job_options.h"
#include "cli/connect/session.h"
#include "cli/connect/uuid.h"
#include "cli/verbs/run_session.h"
#include "cli/verbs/verbs.h"
#include "cli/view/json_view.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

struct Options {
  JobOptions job;
  bool detach = false;
  bool raw = false;
};

// The parser knows nothing of what stands behind `--`.
class RunFormatter final : public CLI::Formatter {
 public:
  explicit RunFormatter(const CLI::FormatterBase& like) { column_width(like.get_column_width()); }
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: jobctl run [OPTIONS] -- COMMAND [ARGUMENT…]\n\n";
  }
};

int RunDetached(Session& session, const v1::ExecuteJobRequest& request) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::ExecuteJobResponse response;
  if (auto status = (*client)->ExecuteJob(request, &response); !status.ok()) return session.Fail(status.error());
  if (session.json()) {
    session.PrintJson({{"correlation_id", response.correlation_id()}, {"job_count", 1}});
  } else {
    session.PrintLine(response.correlation_id());
  }
  return 0;
}

base::Result<v1::ExecuteJobRequest> BuildRequest(const Session& session, const Options& options,
                                                 const std::vector<std::string>& command) {
  if (command.empty()) return base::Error(base::Code::kInvalidArgument, "no command: jobctl run [OPTIONS] -- COMMAND [ARGUMENT…]");
  JOBD_ASSIGN_OR_RETURN(JobDraft job, BuildJob(options.job));
  JOBD_ASSIGN_OR_RETURN(BatchDraft batch, BuildBatch(options.job));
  job.argv = command;
  // The ID is ours, so that a submission whose answer is lost can be repeated.
  if (!batch.correlation_id) batch.correlation_id = MakeUuidV7(session.Now());
  v1::ExecuteJobRequest request;
  ToProto(job, request.mutable_job());
  ToProto(batch, request.mutable_options());
  return request;
}

}  // namespace

void AddRun(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("run", "Run a command, show its output, end as it ended");
  app->formatter(std::make_shared<RunFormatter>(*root.get_formatter()));
  app->footer(
      "Everything behind -- is the command, byte for byte; no shell reads it, unless --shell is given: then the first argument is "
      "a\n"
      "script for sh -c.\n\n"
      "Exit code: the job's own; 128+n for signal n; 124 timed out; 125 jobd or jobctl failed; 126 not executable; 127 not found;\n"
      "137 out of memory; 143 cancelled.\n\n"
      "Ctrl-C sends SIGINT to the job; a second within a second ends it with all its processes; a third leaves at once.\n"
      "A lost link harms nothing: the job runs on, and run goes on where it was.\n\n"
      "Examples:\n"
      "  jobctl run -- make -j4 test\n"
      "  jobctl run --timeout 10m --memory 2G --env CI=1 -- ./build.sh\n"
      "  jobctl run --shell -- 'ls | wc -l'\n"
      "  id=$(jobctl run -d -- sleep 60)");
  auto options = std::make_shared<Options>();
  app->add_flag("-d,--detach", options->detach, "Print only the ID and leave; the job runs on");
  app->add_flag("--raw", options->raw, "Show escape sequences to the terminal as they are");
  app->add_flag("--shell", options->job.shell, "The first argument is a script for sh -c, the others its parameters");
  AddJobOptions(*app, options->job);
  AddBatchOptions(*app, options->job);
  app->callback([options, &invocation] {
    invocation.action = [options, &invocation](Session& session) {
      auto request = BuildRequest(session, *options, invocation.command);
      if (!request.ok()) return session.Fail(request.error());
      return options->detach ? RunDetached(session, *request) : RunAttached(session, *request, options->raw);
    };
  });
}

}  // namespace jobd::cli
