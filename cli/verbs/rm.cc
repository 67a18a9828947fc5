// jobctl rm: forget finished batches.
#include <CLI/CLI.hpp>

#include "cli/connect/client.h"
#include "cli/connect/session.h"
#include "cli/verbs/act.h"
#include "cli/verbs/verbs.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

int Remove(Session& session, const ActOptions& options) {
  return ForEach(session, options, [](Client& client, const JobRef& ref) -> base::Result<ActionResult> {
    if (ref.index) return base::Error(base::Code::kInvalidArgument, "only a whole batch can be removed, not one of its jobs");
    v1::RemoveBatchRequest request;
    request.set_correlation_id(ref.correlation_id);
    request.set_owner(ref.owner);
    JOBD_RETURN_IF_ERROR(client.RemoveBatch(request));
    return ActionResult{"removed", {{"removed", true}}};
  });
}

}  // namespace

void AddRm(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("rm", "Forget finished batches and delete their output");
  auto options = std::make_shared<ActOptions>();
  AddActOptions(*app, *options);
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Remove(session, *options); }; });
}

}  // namespace jobd::cli
