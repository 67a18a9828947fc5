// jobctl cancel: end jobs.
#include <CLI/CLI.hpp>

#include "base/units.h"
#include "cli/connect/client.h"
#include "cli/connect/session.h"
#include "cli/verbs/act.h"
#include "cli/verbs/verbs.h"
#include "cli/view/proto_time.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

struct Options : ActOptions {
  std::string reason;
  std::string grace;
};

int Cancel(Session& session, const Options& options) {
  v1::CancelRequest request;
  request.set_reason(options.reason);
  if (!options.grace.empty()) {
    const auto grace = base::ParseDuration(options.grace);
    if (!grace.ok()) return session.Fail(base::Error(grace.error()).WithContext("--grace"));
    *request.mutable_grace() = ToDuration(*grace);
  }
  return ForEach(session, options, [&request](Client& client, const JobRef& ref) -> base::Result<ActionResult> {
    ToProto(ref, request.mutable_jobs());
    v1::CancelResponse response;
    JOBD_RETURN_IF_ERROR(client.Cancel(request, &response));
    const bool nothing = response.cancelled() == 0 && response.stopping() == 0;
    return ActionResult{nothing ? (ref.index ? "the job has ended already" : "all its jobs have ended already")
                                : Jobs(response.cancelled()) + " cancelled, " + std::to_string(response.stopping()) + " stopping",
                        {{"cancelled", response.cancelled()}, {"stopping", response.stopping()}}};
  });
}

}  // namespace

void AddCancel(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("cancel", "End jobs: TERM, and after a grace KILL to all their processes");
  app->footer("Answers when the request is recorded; `jobctl wait` waits for the end.");
  auto options = std::make_shared<Options>();
  AddActOptions(*app, *options);
  app->add_option("--reason", options->reason, "Why; kept with the job")->type_name("TEXT");
  app->add_option("-t,--grace", options->grace, "Between TERM and KILL; default: the job's kill_after")->type_name("TIME");
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Cancel(session, *options); }; });
}

}  // namespace jobd::cli
