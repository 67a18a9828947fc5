// jobctl status: batches with their jobs.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/bounds.h"
#include "cli/connect/check/answer_check.h"
#include "cli/connect/job_ref.h"
#include "cli/connect/session.h"
#include "cli/verbs/list.h"
#include "cli/verbs/verbs.h"
#include "cli/view/json_view.h"
#include "cli/view/states.h"
#include "cli/view/views.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::cli {

namespace {

// A terminal shows so many jobs of a batch at most, those that failed first.
constexpr uint32_t kManyJobs = 50;
// Of so many, what was said first is gone from most.
constexpr size_t kScrollsOff = 15;

struct Options {
  std::vector<std::string> ids;
  std::string owner;
  bool all = false;
};

struct Found {
  v1::Batch batch;
  std::vector<v1::JobStatus> jobs;
  bool partial = false;
};

// All pages of jobs, or the first `limit` jobs when it is not 0.
base::Status GetJobs(Client& client, v1::GetBatchRequest request, uint32_t limit, Found& found) {
  const size_t begin = found.jobs.size();
  PageGuard pages(base::kMaxJobs);
  while (true) {
    if (limit > 0) request.set_page_size(limit);
    v1::GetBatchResponse page;
    JOBD_RETURN_IF_ERROR(client.GetBatch(request, &page));
    JOBD_RETURN_IF_ERROR(pages.Add(static_cast<size_t>(page.jobs_size()), page.ByteSizeLong(), page.next_page_token()));
    found.batch = page.batch();
    for (v1::JobStatus& job : *page.mutable_jobs()) found.jobs.push_back(std::move(job));
    if (page.next_page_token().empty()) return base::Ok();
    if (limit > 0 && found.jobs.size() - begin >= limit) {
      found.partial = true;
      return base::Ok();
    }
    request.set_page_token(page.next_page_token());
  }
}

// Jobs that failed, then jobs that run, then the others: kManyJobs in all.
base::Status GetWorst(Client& client, const v1::GetBatchRequest& base, Found& found) {
  const std::vector<std::vector<v1::JobState>> order{
      FailureStates(),
      {v1::JOB_STATE_STARTING, v1::JOB_STATE_RUNNING, v1::JOB_STATE_STOPPING},
      {v1::JOB_STATE_QUEUED, v1::JOB_STATE_HELD, v1::JOB_STATE_SCHEDULED, v1::JOB_STATE_SUCCEEDED}};
  for (const auto& states : order) {
    if (found.jobs.size() >= kManyJobs) break;
    v1::GetBatchRequest request = base;
    for (const v1::JobState state : states) request.add_states(state);
    JOBD_RETURN_IF_ERROR(GetJobs(client, request, kManyJobs - static_cast<uint32_t>(found.jobs.size()), found));
  }
  found.partial = found.jobs.size() < found.batch.job_count();
  return base::Ok();
}

base::Result<Found> Get(Session& session, Client& client, const JobRef& ref, bool all) {
  v1::GetBatchRequest request;
  request.set_correlation_id(ref.correlation_id);
  request.set_owner(ref.owner);
  if (ref.index) request.set_index(*ref.index);
  Found found;
  const bool summary = !all && !session.json() && session.out().is_terminal();
  if (!summary || ref.index) {
    JOBD_RETURN_IF_ERROR(GetJobs(client, request, 0, found));
    return found;
  }
  JOBD_RETURN_IF_ERROR(GetJobs(client, request, kManyJobs, found));
  if (!found.partial) return found;
  Found worst;
  JOBD_RETURN_IF_ERROR(GetWorst(client, request, worst));
  return worst;
}

void Print(Session& session, const Found& found, bool first) {
  if (!first) session.PrintLine("");
  session.out().Write(BatchSummary(found.batch, session.Now(), session.wide(), session.Color(session.out())) + "\n");
  Table table(JobHeader(session.wide()));
  table.Favour(kReasonColumn);
  for (const v1::JobStatus& job : found.jobs) table.Add(JobRow(job, session.Now(), session.wide()));
  session.PrintTable(table);
  if (found.partial) {
    session.Say("… and " + std::to_string(found.batch.job_count() - static_cast<uint32_t>(found.jobs.size())) +
                " more jobs: --all");
  }
  // Where the beginning has scrolled off a terminal, the state of the whole is at its end.
  if (session.out().is_terminal() && found.jobs.size() >= kScrollsOff) {
    session.out().Write("\n" + BatchInALine(found.batch, session.Color(session.out())) + "\n");
  }
}

Json ToJson(const Found& found) { return BatchToJson(found.batch, {found.jobs.begin(), found.jobs.end()}); }

int Status(Session& session, const Options& options) {
  if (options.ids.empty()) {
    v1::ListBatchesRequest request;
    request.set_owner(options.owner);
    for (const v1::JobState state : LiveStates()) request.add_states(state);
    return PrintBatches(session, request, 0);
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  int code = 0;
  bool first = true;
  Json list = Json::array();
  for (const std::string& id : options.ids) {
    const auto ref = FindJob(**client, id, options.owner);
    auto found = ref.ok() ? Get(session, **client, *ref, options.all) : base::Result<Found>(ref.error());
    if (!found.ok()) {
      code = session.Fail(About(std::move(found).error(), id));
    } else if (session.json()) {
      list.push_back(ToJson(*found));
    } else if (session.format() == OutputFormat::kName) {
      session.PrintLine(JobRef{found->batch.correlation_id(), ref->index, ""}.ToString());
    } else {
      Print(session, *found, first);
      first = false;
    }
  }
  if (session.json() && options.ids.size() > 1) session.PrintJsonList(list);
  if (session.json() && options.ids.size() == 1 && !list.empty()) session.PrintJson(list[0]);
  return code;
}

}  // namespace

void AddStatus(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("status", "Show batches with their jobs; without ID, your batches that are not done");
  app->footer(
      "On a terminal, of a batch of more than 50 jobs those that failed and those that run are shown first; --all shows all. Of a "
      "long\n"
      "list the state of the batch is at its end, too.\n"
      "-o json: the batch {\"correlation_id\", \"owner\", \"name\", \"labels\", \"state\", \"job_count\", \"counts\", …, \"jobs\": "
      "[{\"index\",\n"
      "\"state\", \"exit_code\", \"signal\", \"reason\": {\"code\", \"text\", …}, …}]}; a list of those for several IDs.");
  auto options = std::make_shared<Options>();
  app->add_option("ID", options->ids, kAddressHelp);
  app->add_option("--owner", options->owner, "Whose batches; default: your own")->type_name("NAME");
  app->add_flag("-a,--all", options->all, "All jobs of large batches, on a terminal, too");
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Status(session, *options); }; });
}

}  // namespace jobd::cli
