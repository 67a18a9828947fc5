// jobctl explain: why jobs are not running yet, or why they ended as they did.
#include <CLI/CLI.hpp>

#include "base/text.h"
#include "cli/connect/session.h"
#include "cli/verbs/act.h"
#include "cli/verbs/verbs.h"
#include "cli/view/explanations.h"
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

// The jobs of a batch that are in one of these states; of many the first page.
base::Status AddJobs(Client& client, const v1::Batch& batch, const std::vector<v1::JobState>& states,
                     std::vector<v1::JobStatus>& jobs) {
  v1::GetBatchRequest request;
  request.set_correlation_id(batch.correlation_id());
  request.set_owner(batch.owner());
  for (const v1::JobState state : states) request.add_states(state);
  v1::GetBatchResponse response;
  JOBD_RETURN_IF_ERROR(client.GetBatch(request, &response));
  for (v1::JobStatus& job : *response.mutable_jobs()) jobs.push_back(std::move(job));
  return base::Ok();
}

// jobd names the first job that waits and the first that failed; a person with a whole batch wants to know of the others, too.
base::Result<std::string> OfBatch(Session& session, Client& client, const v1::Batch& batch) {
  constexpr size_t kMostReasons = 12;  // that wait, and as many that ended
  const std::vector<v1::JobState> waiting{v1::JOB_STATE_QUEUED, v1::JOB_STATE_HELD, v1::JOB_STATE_SCHEDULED};
  std::string text;
  for (const auto& states : {waiting, FailureStates()}) {
    uint32_t all = 0;
    for (const v1::JobState state : states) all += CountOf(batch, state);
    if (all == 0) continue;
    std::vector<v1::JobStatus> jobs;
    JOBD_RETURN_IF_ERROR(AddJobs(client, batch, states, jobs));
    const Explained explained = ExplainTogether(jobs, session.Now(), kMostReasons);
    text += explained.text;
    const bool some = explained.jobs > 0 && explained.jobs < all;
    if (some && (jobs.size() < all || states != waiting)) {
      text += "and " + std::to_string(all - explained.jobs) + " more jobs: jobctl status --all " + batch.correlation_id() + "\n";
    }
  }
  return text;
}

base::Status Print(Session& session, Client& client, const v1::ExplainResponse& response, bool whole) {
  std::string text = Heading(response.batch());
  if (response.jobs().empty()) text += "nothing waits, and nothing has failed\n";
  std::string several;
  if (whole && response.batch().job_count() > 1 && !response.jobs().empty()) {
    JOBD_ASSIGN_OR_RETURN(several, OfBatch(session, client, response.batch()));
  }
  text += several;
  for (const v1::JobStatus& job : response.jobs()) {
    if (several.empty()) text += Explanation(job, session.Now());
  }
  session.out().Write(text);
  return base::Ok();
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
    if (auto checked = CheckAddress(id); !checked.ok()) {
      code = session.Fail(checked.error());
    } else if (auto status = (*client)->Explain(request, &response); !status.ok()) {
      code = session.Fail(About(std::move(status).error(), id));
    } else if (session.json()) {
      list.push_back(BatchToJson(response.batch(), response.jobs()));
    } else if (session.format() == OutputFormat::kName) {
      for (const v1::JobStatus& job : response.jobs())
        session.PrintLine(JobRef{response.batch().correlation_id(), job.index(), ""}.ToString());
    } else if (auto printed = Print(session, **client, response, id.find('/') == std::string::npos); !printed.ok()) {
      code = session.Fail(About(std::move(printed).error(), id));
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
      "The main reason comes first. Of a batch: of its jobs that wait, and of those that did not succeed, each reason once.\n"
      "-o json: the batch as `status` shows it, with the first job that waits and the first that did not succeed; \"waits\" has "
      "the reasons: {\"code\", \"text\", \"since\", …}.");
  auto options = std::make_shared<ActOptions>();
  AddActOptions(*app, *options);
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Explain(session, *options); }; });
}

}  // namespace jobd::cli
