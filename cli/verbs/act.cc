#include "cli/verbs/act.h"

#include <CLI/CLI.hpp>

#include "cli/connect/client.h"
#include "cli/connect/session.h"

namespace jobd::cli {

void AddActOptions(CLI::App& app, ActOptions& options) {
  app.add_option("ID", options.ids, kAddressHelp)->required();
  app.add_option("--owner", options.owner, "Whose batches; default: your own")->type_name("NAME");
}

int ForEach(Session& session, const ActOptions& options,
            const std::function<base::Result<ActionResult>(Client&, const JobRef&)>& act) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  int code = 0;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  // All before the first is acted on: what `last~1` means changes when `last` is removed.
  std::vector<base::Result<JobRef>> refs;
  for (const std::string& id : options.ids) refs.push_back(FindJob(**client, id, options.owner));
  for (size_t i = 0; i < refs.size(); ++i) {
    const base::Result<JobRef>& ref = refs[i];
    base::Result<ActionResult> result = ref.ok() ? act(**client, *ref) : base::Result<ActionResult>(ref.error());
    if (!result.ok()) {
      code = session.Fail(About(std::move(result).error(), options.ids[i]));
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
