#include "cli/verbs/act.h"

#include <CLI/CLI.hpp>

#include "cli/connect/client.h"
#include "cli/connect/session.h"

namespace jobd::cli {

void AddActOptions(CLI::App& app, ActOptions& options) {
  app.add_option("ID", options.ids, "Batches, or jobs as ID/INDEX; a unique prefix will do, and `last` is the newest batch")
      ->required();
  app.add_option("--owner", options.owner, "Whose batches; default: your own")->type_name("NAME");
}

int ForEach(Session& session, const ActOptions& options,
            const std::function<base::Result<ActionResult>(Client&, const JobRef&)>& act) {
  auto refs = ParseJobRefs(options.ids, options.owner);  // a mistake in one is found before another is acted on
  if (!refs.ok()) return session.Fail(refs.error());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  int code = 0;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (JobRef& unresolved : *refs) {
    const std::string as_typed = unresolved.ToString();
    const auto ref = ResolveJobRef(**client, std::move(unresolved));
    base::Result<ActionResult> result = ref.ok() ? act(**client, *ref) : base::Result<ActionResult>(ref.error());
    if (!result.ok()) {
      code = session.Fail(std::move(result).error().WithContext(as_typed));
      continue;
    }
    if (session.json()) {
      nlohmann::ordered_json item{{"correlation_id", ref->correlation_id}, {"index", nullptr}};
      if (ref->index) item["index"] = *ref->index;
      item.update(result->fields);
      list.push_back(std::move(item));
    } else if (session.format() == OutputFormat::kName) {
      session.PrintLine(ref->ToString());
    } else if (!session.options().quiet) {
      session.PrintLine(ref->ToString() + ": " + result->text);
    }
  }
  if (session.json()) {
    if (list.size() == 1) {
      session.PrintJson(list[0]);
    } else {
      session.PrintJsonList(list);
    }
  }
  return code;
}

std::string Jobs(uint32_t count) { return std::to_string(count) + (count == 1 ? " job" : " jobs"); }

}  // namespace jobd::cli
