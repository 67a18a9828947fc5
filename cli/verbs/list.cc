// jobctl list: batches, newest first.
#include "cli/verbs/list.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/bounds.h"
#include "base/text.h"
#include "cli/connect/check/answer_check.h"
#include "cli/connect/session.h"
#include "cli/verbs/verbs.h"
#include "cli/view/json_view.h"
#include "cli/view/states.h"
#include "cli/view/views.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::cli {

namespace {

struct Options {
  std::vector<std::string> filters;
  std::vector<std::string> labels;
  std::string owner;
  uint32_t limit = 50;
};

base::Error Bad(const std::string& what) { return {base::Code::kInvalidArgument, what}; }

base::Status AddLabel(v1::ListBatchesRequest& request, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) return Bad("--label: '" + text + "' is not a label; write KEY=VALUE");
  (*request.mutable_labels())[text.substr(0, equals)] = text.substr(equals + 1);
  return base::Ok();
}

base::Result<v1::ListBatchesRequest> Build(const Options& options) {
  v1::ListBatchesRequest request;
  request.set_owner(options.owner);
  for (const std::string& filter : options.filters) {
    if (filter.starts_with("state=")) {
      JOBD_ASSIGN_OR_RETURN(const auto states, ParseStates(std::string_view(filter).substr(6)));
      for (const v1::JobState state : states) request.add_states(state);
    } else if (filter.starts_with("label=")) {
      JOBD_RETURN_IF_ERROR(AddLabel(request, filter.substr(6)));
    } else {
      return Bad("--filter: '" + filter + "' is neither state=STATE nor label=KEY=VALUE");
    }
  }
  for (const std::string& label : options.labels) JOBD_RETURN_IF_ERROR(AddLabel(request, label));
  return request;
}

int List(Session& session, const Options& options) {
  auto request = Build(options);
  if (!request.ok()) return session.Fail(request.error());
  return PrintBatches(session, std::move(request).value(), options.limit);
}

}  // namespace

int PrintBatches(Session& session, v1::ListBatchesRequest request, uint32_t limit) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  // Who may be among several is told who it is.
  const bool owners = session.wide() || !request.owner().empty();
  Table table(BatchHeader(session.wide(), owners));
  Json list = Json::array();
  constexpr uint64_t kMostListed = 10'000'000;
  PageGuard pages(kMostListed);
  uint32_t count = 0;
  bool more = false;
  while (true) {
    request.set_page_size(limit == 0 ? base::kMaxPageRows : std::min(base::kMaxPageRows, limit - count));
    v1::ListBatchesResponse page;
    if (auto status = (*client)->ListBatches(request, &page); !status.ok()) {
      if (status.error().code() != base::Code::kNotFound || request.owner().empty()) return session.Fail(status.error());
      return session.Fail(
          base::Error(base::Code::kNotFound,
                      "--owner: there is nobody '" + base::EscapeForTerminal(request.owner()) + "' whose batches you may see"));
    }
    const auto good = pages.Add(static_cast<size_t>(page.batches_size()), page.ByteSizeLong(), page.next_page_token());
    if (!good.ok()) return session.Fail(good.error());
    for (const v1::Batch& batch : page.batches()) {
      if (session.json()) {
        Json entry = BatchToJson(batch);
        entry["command"] = batch.has_first_job() ? BytesToJson(CommandLine(batch.first_job())) : Json(nullptr);
        list.push_back(std::move(entry));
      } else if (session.format() == OutputFormat::kName) {
        session.PrintLine(batch.correlation_id());
      } else {
        table.Add(BatchRow(batch, session.Now(), session.wide(), owners));
      }
    }
    count += static_cast<uint32_t>(page.batches_size());
    request.set_page_token(page.next_page_token());
    more = !page.next_page_token().empty();
    if (!more || (limit > 0 && count >= limit)) break;
  }
  if (session.json()) {
    session.PrintJsonList(list);
  } else if (session.format() != OutputFormat::kName && table.rows() > 0) {
    session.PrintTable(table);
  }
  if (count == 0) session.Say(request.owner().empty() ? "you have no such batches; --owner NAME shows another's" : "no batches");
  if (more) session.Say("there are more; see --limit");
  return 0;
}

void AddList(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("list", "List batches, newest first");
  app->alias("ls");
  app->footer(
      "States: queued, held, running, …, succeeded, failed, cancelled, timed_out, oom_killed, lost; also `live` and "
      "`unsuccessful`.\n"
      "NO counts the batches of each owner: `jobctl status 42`. FAILED does not count jobs that were cancelled. Where the line "
      "does\n"
      "not fit the terminal, IDs are shortened to a beginning that is an address, too; -o wide shows everything.\n"
      "Several filters of a kind: any of the states, all of the labels.\n\n"
      "Examples:\n"
      "  jobctl list --filter state=failed,lost --limit 10\n"
      "  jobctl list --label nightly=yes -o name");
  auto options = std::make_shared<Options>();
  app->add_option("--filter", options->filters, "state=STATE or label=KEY=VALUE. Repeatable")
      ->type_name("FILTER")
      ->allow_extra_args(false);
  app->add_option("-l,--label", options->labels, "Only with this label. Repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app->add_option("-n,--limit", options->limit, "At most this many; 0 is all")->capture_default_str()->type_name("N");
  app->add_option("--owner", options->owner, "Whose batches; '*' is everybody's you may see. Default: your own")->type_name("NAME");
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return List(session, *options); }; });
}

}  // namespace jobd::cli
