// jobctl prune: forget old batches.
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include "base/units.h"
#include "cli/connect/session.h"
#include "cli/verbs/verbs.h"
#include "cli/view/proto_time.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

struct Options {
  std::string older_than;
  bool dry_run = false;
};

int Prune(Session& session, const Options& options) {
  const auto age = base::ParseDurationWithUnit(options.older_than);
  if (!age.ok()) return session.Fail(base::Error(age.error()).WithContext("--older-than"));
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  v1::PruneBatchesRequest request;
  *request.mutable_older_than() = ToDuration(*age);
  request.set_dry_run(options.dry_run);
  v1::PruneBatchesResponse response;
  if (auto status = (*client)->PruneBatches(request, &response); !status.ok()) return session.Fail(status.error());
  if (session.json()) {
    session.PrintJson({{"batches", response.batches()}, {"bytes", response.bytes()}, {"dry_run", options.dry_run}});
  } else if (!session.options().quiet) {
    session.PrintLine(std::to_string(response.batches()) + (response.batches() == 1 ? " batch" : " batches") +
                      (options.dry_run ? " would go, " : " removed, ") + base::FormatSize(response.bytes()));
  }
  return 0;
}

}  // namespace

void AddPrune(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("prune", "Forget your batches that ended long ago and delete their output");
  app->footer("Example: jobctl prune --older-than 7d");
  auto options = std::make_shared<Options>();
  app->add_option("--older-than", options->older_than, "That ended longer ago than this")->type_name("TIME")->required();
  app->add_flag("--dry-run", options->dry_run, "Only say what would go");
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Prune(session, *options); }; });
}

}  // namespace jobd::cli
