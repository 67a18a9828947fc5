// jobctl explain: why jobs are not running yet, or why they ended as they did.
#include <CLI/CLI.hpp>

#include "base/text.h"
#include "cli/connect/session.h"
#include "cli/verbs/act.h"
#include "cli/verbs/verbs.h"
#include "cli/view/json_view.h"
#include "cli/view/states.h"
#include "cli/view/views.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::cli {

namespace {

// The batch in a line: "nightly (0198…), number 42: RUNNING, 3 QUEUED, 1 FAILED".
std::string Heading(const v1::Batch& batch) {
  std::string text = batch.name().empty() ? batch.correlation_id() : batch.name() + " (" + batch.correlation_id() + ")";
  text = base::EscapeForTerminal(text);
  if (batch.number() != 0) text += ", number " + std::to_string(batch.number());
  std::string counts;
  for (const v1::StateCount& count : batch.counts()) {
    if (count.count() == 0) continue;
    counts += (counts.empty() ? "" : ", ") + std::to_string(count.count()) + " " + StateName(count.state());
  }
  return text + ": " + counts + "\n";
}

void Print(Session& session, const v1::ExplainResponse& response) {
  std::string text = Heading(response.batch());
  for (const v1::JobStatus& job : response.jobs()) text += Explanation(job, session.Now());
  if (response.jobs().empty()) text += "nothing waits, and nothing has failed\n";
  session.out().Write(text);
}

int Explain(Session& session, const ActOptions& options) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  int code = 0;
  Json list = Json::array();
  for (const std::string& id : options.ids) {
    v1::ExplainRequest request;
    request.set_owner(options.owner);
    request.set_address(id);
    v1::ExplainResponse response;
    if (auto status = (*client)->Explain(request, &response); !status.ok()) {
      code = session.Fail(About(std::move(status).error(), id));
    } else if (session.json()) {
      list.push_back(BatchToJson(response.batch(), response.jobs()));
    } else if (session.format() == OutputFormat::kName) {
      for (const v1::JobStatus& job : response.jobs())
        session.PrintLine(JobRef{response.batch().correlation_id(), job.index(), ""}.ToString());
    } else {
      Print(session, response);
    }
  }
  if (session.json() && options.ids.size() > 1) session.PrintJsonList(list);
  if (session.json() && options.ids.size() == 1 && !list.empty()) session.PrintJson(list[0]);
  return code;
}

}  // namespace

void AddExplain(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("explain", "Say why a job is not running yet, or why it ended as it did");
  app->footer(
      "The main reason comes first. Of a batch: of the first of its jobs that wait, and of the first that did not succeed.\n"
      "-o json: the batch as `status` shows it, with these jobs; \"waits\" has the reasons: {\"code\", \"text\", \"since\", …}.");
  auto options = std::make_shared<ActOptions>();
  AddActOptions(*app, *options);
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Explain(session, *options); }; });
}

}  // namespace jobd::cli
