// jobctl hold and jobctl release: keep queued jobs from starting, and let them start.
#include <CLI/CLI.hpp>

#include "cli/connect/client.h"
#include "cli/connect/session.h"
#include "cli/verbs/act.h"
#include "cli/verbs/verbs.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

int Hold(Session& session, const ActOptions& options) {
  return ForEach(session, options, [](Client& client, const JobRef& ref) -> base::Result<ActionResult> {
    v1::HoldRequest request;
    ToProto(ref, request.mutable_jobs());
    v1::HoldResponse response;
    JOBD_RETURN_IF_ERROR(client.Hold(request, &response));
    return ActionResult{
        response.held() == 0 ? "nothing waits; what runs is held should it be tried again" : Jobs(response.held()) + " held",
        {{"held", response.held()}}};
  });
}

int Release(Session& session, const ActOptions& options) {
  return ForEach(session, options, [](Client& client, const JobRef& ref) -> base::Result<ActionResult> {
    v1::ReleaseRequest request;
    ToProto(ref, request.mutable_jobs());
    v1::ReleaseResponse response;
    JOBD_RETURN_IF_ERROR(client.Release(request, &response));
    return ActionResult{response.released() == 0 ? "nothing is held" : Jobs(response.released()) + " released",
                        {{"released", response.released()}}};
  });
}

}  // namespace

void AddHold(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("hold", "Keep queued jobs from starting, until release");
  auto options = std::make_shared<ActOptions>();
  AddActOptions(*app, *options);
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Hold(session, *options); }; });
}

void AddRelease(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("release", "Let held jobs start");
  auto options = std::make_shared<ActOptions>();
  AddActOptions(*app, *options);
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Release(session, *options); }; });
}

}  // namespace jobd::cli
