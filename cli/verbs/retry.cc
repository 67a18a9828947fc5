// jobctl retry: start finished jobs again.
#include <CLI/CLI.hpp>

#include "cli/connect/client.h"
#include "cli/connect/session.h"
#include "cli/verbs/act.h"
#include "cli/verbs/verbs.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

struct Options : ActOptions {
  bool failed_only = false;
};

int Retry(Session& session, const Options& options) {
  return ForEach(session, options, [&options](Client& client, const JobRef& ref) -> base::Result<ActionResult> {
    v1::RetryRequest request;
    ToProto(ref, request.mutable_jobs());
    request.set_failed_only(options.failed_only);
    v1::RetryResponse response;
    JOBD_RETURN_IF_ERROR(client.Retry(request, &response));
    return ActionResult{response.requeued() == 0 ? (options.failed_only ? "nothing has ended without success" : "nothing has ended")
                                                 : Jobs(response.requeued()) + " queued again",
                        {{"requeued", response.requeued()}}};
  });
}

}  // namespace

void AddRetry(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("retry", "Start finished jobs again, as their next attempt");
  app->footer("Of a batch, all jobs that have ended, those that succeeded too; with --failed the others alone.");
  auto options = std::make_shared<Options>();
  AddActOptions(*app, *options);
  app->add_flag("--failed", options->failed_only, "Only those that did not succeed");
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Retry(session, *options); }; });
}

}  // namespace jobd::cli
