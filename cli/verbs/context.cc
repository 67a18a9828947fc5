// jobctl context: which jobd, and as whom.
#include <fcntl.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include "base/files.h"
#include "cli/connect/context_file.h"
#include "cli/connect/session.h"
#include "cli/verbs/verbs.h"
#include "cli/view/table.h"

namespace jobd::cli {

namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const std::string& name, const Context& context, bool current) {
  return {{"name", name},     {"current", current},   {"address", context.address},
          {"ca", context.ca}, {"cert", context.cert}, {"key", context.key}};
}

std::string CurrentName(const Session& session, const ContextFile& file) {
  return session.options().context.value_or(file.current);
}

int ListContexts(Session& session) {
  const auto file = LoadContexts(session.options(), session.env());
  if (!file.ok()) return session.Fail(file.error());
  const std::string current = CurrentName(session, *file);
  Table table({"CURRENT", "NAME", "ADDRESS", "CERTIFICATE"});
  Json list = Json::array();
  for (const auto& [name, context] : file->contexts) {
    if (session.json()) list.push_back(ToJson(name, context, name == current));
    if (session.format() == OutputFormat::kName) session.PrintLine(name);
    table.Add({{name == current ? "*" : ""}, {name}, {context.address}, {context.cert}});
  }
  if (session.json()) {
    session.PrintJsonList(list);
  } else if (session.format() != OutputFormat::kName && table.rows() > 0) {
    session.PrintTable(table);
  }
  if (file->contexts.empty()) session.Say("there are no contexts in " + file->path);
  return 0;
}

int UseContext(Session& session, const std::string& name) {
  const auto file = LoadContexts(session.options(), session.env());
  if (!file.ok()) return session.Fail(file.error());
  if (!file->contexts.contains(name)) {
    return session.Fail(base::Error(base::Code::kInvalidArgument,
                                    "there is no context '" + name + "' in " + file->path + "; see `jobctl context list`"));
  }
  const auto text = base::ReadFile(AT_FDCWD, file->path);
  if (!text.ok()) return session.Fail(text.error());
  const size_t slash = file->path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : file->path.substr(0, slash + 1);
  const auto folder = base::OpenAt(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
  if (!folder.ok()) return session.Fail(folder.error());
  const std::string base_name = slash == std::string::npos ? file->path : file->path.substr(slash + 1);
  if (auto status = base::ReplaceFile(folder->get(), base_name, WithCurrent(*text, name), 0600); !status.ok()) {
    return session.Fail(status.error());
  }
  session.Say("the context is now " + name);
  return 0;
}

int ShowContext(Session& session, const std::string& wanted) {
  const auto file = LoadContexts(session.options(), session.env());
  if (!file.ok()) return session.Fail(file.error());
  const std::string current = CurrentName(session, *file);
  const std::string name = wanted.empty() ? current : wanted;
  if (name.empty())
    return session.Fail(base::Error(base::Code::kFailedPrecondition,
                                    "no context is chosen in " + file->path + "; choose one: jobctl context use NAME"));
  const auto found = file->contexts.find(name);
  if (found == file->contexts.end()) {
    return session.Fail(base::Error(base::Code::kInvalidArgument,
                                    "there is no context '" + name + "' in " + file->path + "; see `jobctl context list`"));
  }
  const Json json = ToJson(name, found->second, name == current);
  if (session.json()) {
    session.PrintJson(json);
  } else if (session.format() == OutputFormat::kName) {
    session.PrintLine(name);
  } else {
    for (const char* key : {"name", "address", "ca", "cert", "key"}) {
      session.PrintLine(key + std::string(10 - std::string_view(key).size(), ' ') + json.at(key).get<std::string>());
    }
  }
  return 0;
}

}  // namespace

void AddContext(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("context", "Choose between several jobd");
  app->footer(
      "Contexts stand in ~/.config/jobctl/config.toml (or --config FILE). Paths are relative to it:\n\n"
      "  current = \"build\"\n"
      "  [context.build]\n"
      "  address = \"build.example:7443\"\n"
      "  ca = \"ca.crt\"\n"
      "  cert = \"me.crt\"\n"
      "  key = \"me.key\"\n\n"
      "A flag counts before JOBCTL_ADDRESS, JOBCTL_CA, JOBCTL_CERT and JOBCTL_KEY, and those before the context.");
  app->require_subcommand(1);
  CLI::App* list = app->add_subcommand("list", "List the contexts");
  list->callback([&invocation] { invocation.action = ListContexts; });
  auto name = std::make_shared<std::string>();
  CLI::App* use = app->add_subcommand("use", "Make a context the current one");
  use->add_option("NAME", *name, "The context")->required();
  use->callback([name, &invocation] { invocation.action = [name](Session& session) { return UseContext(session, *name); }; });
  CLI::App* show = app->add_subcommand("show", "Show a context; without a name, the current one");
  show->add_option("NAME", *name, "The context");
  show->callback([name, &invocation] { invocation.action = [name](Session& session) { return ShowContext(session, *name); }; });
}

}  // namespace jobd::cli
