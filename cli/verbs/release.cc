// jobctl release: let held jobs start.
#include <CLI/CLI.hpp>

#include "cli/connect/client.h"
#include "cli/connect/session.h"
#include "cli/verbs/act.h"
#include "cli/verbs/verbs.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

int Release(Session& session, const ActOptions& options) {
  return ForEach(session, options, [](Client& client, const JobRef& ref) -> base::Result<Deed> {
    v1::ReleaseRequest request;
    ToProto(ref, request.mutable_jobs());
    v1::ReleaseResponse response;
    JOBD_RETURN_IF_ERROR(client.Release(request, &response));
    return Deed{Jobs(response.released()) + " released", {{"released", response.released()}}};
  });
}

}  // namespace

void AddRelease(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("release", "Let held jobs start");
  auto options = std::make_shared<ActOptions>();
  AddActOptions(*app, *options);
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Release(session, *options); }; });
}

}  // namespace jobd::cli
