// jobctl context: which jobd, and as whom.
#include <fcntl.h>
#include <CLI/CLI.hpp>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "cli/connect/context_edit.h"
#include "cli/connect/context_file.h"
#include "cli/connect/session.h"
#include "cli/connect/token_file.h"
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

base::Error NoSuchContext(const ContextFile& file, const std::string& name) {
  return base::Error(base::Code::kInvalidArgument,
                     "there is no context '" + name + "' in " + file.path + "; see `jobctl context list`");
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
  if (!file->contexts.contains(name)) return session.Fail(NoSuchContext(*file, name));
  const auto text = base::ReadFile(AT_FDCWD, file->path);
  if (!text.ok()) return session.Fail(text.error());
  if (auto status = SaveContexts(file->path, WithCurrent(*text, name)); !status.ok()) return session.Fail(status.error());
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
  if (found == file->contexts.end()) return session.Fail(NoSuchContext(*file, name));
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

// The context that the global options describe, or what is wrong with it.
base::Result<Context> DescribedContext(const GlobalOptions& options) {
  const std::array<std::pair<const std::optional<std::string>&, const char*>, 3> needed{
      {{options.ca, "--ca"}, {options.cert, "--cert"}, {options.key, "--key"}}};
  std::string missing;
  for (const auto& [value, option] : needed) {
    if (!value) missing += (missing.empty() ? "" : ", ") + std::string(option);
  }
  if (!missing.empty()) return base::Error(base::Code::kInvalidArgument, "a context needs " + missing + " as well");
  for (const auto& [value, option] : needed) {
    if (auto file = base::OpenAt(AT_FDCWD, *value, O_RDONLY); !file.ok()) return std::move(file).error().WithContext(option);
  }
  Context context;
  if (options.address) {
    JOBD_RETURN_IF_ERROR(SplitAddress(*options.address));
    context.address = *options.address;
  }
  const auto absolute = [](const std::string& path) { return std::filesystem::absolute(path).lexically_normal().string(); };
  context.ca = absolute(*options.ca);
  context.cert = absolute(*options.cert);
  context.key = absolute(*options.key);
  if (options.token_file) context.token_file = absolute(*options.token_file);
  return context;
}

int AddOne(Session& session, const std::string& name) {
  const auto file = LoadContexts(session.options(), session.env());
  if (!file.ok()) return session.Fail(file.error());
  if (file->path.empty()) {
    return session.Fail(
        base::Error(base::Code::kFailedPrecondition, "HOME is not set, so there is no file of contexts; name one with --config"));
  }
  if (!base::IsSafeName(name)) {
    return session.Fail(
        base::Error(base::Code::kInvalidArgument,
                    "'" + base::EscapeForTerminal(name) + "' is not a name for a context: letters, digits and . _ - :"));
  }
  if (file->contexts.contains(name)) {
    return session.Fail(base::Error(base::Code::kInvalidArgument, "there is a context '" + name + "' in " + file->path +
                                                                      " already; `jobctl context rm " + name + "` removes it"));
  }
  const auto context = DescribedContext(session.options());
  if (!context.ok()) return session.Fail(context.error());
  std::string text;
  if (file->exists) {
    auto old = base::ReadFile(AT_FDCWD, file->path);
    if (!old.ok()) return session.Fail(old.error());
    text = *std::move(old);
  }
  text = WithContext(text, name, *context);
  const bool first = file->current.empty();
  if (first) text = WithCurrent(text, name);
  if (auto status = SaveContexts(file->path, text); !status.ok()) return session.Fail(status.error());
  session.Say(first ? "the context is now " + name
                    : "added " + name + "; `jobctl context use " + name + "` makes it the current one");
  return 0;
}

int RemoveOne(Session& session, const std::string& name) {
  const auto file = LoadContexts(session.options(), session.env());
  if (!file.ok()) return session.Fail(file.error());
  if (!file->contexts.contains(name)) return session.Fail(NoSuchContext(*file, name));
  const auto text = base::ReadFile(AT_FDCWD, file->path);
  if (!text.ok()) return session.Fail(text.error());
  const auto rest = WithoutContext(*text, name);
  if (!rest.ok()) return session.Fail(base::Error(rest.error()).WithContext(file->path));
  if (auto status = SaveContexts(file->path, *rest); !status.ok()) return session.Fail(status.error());
  // The token of a login is worth nothing without the context; a file that the context named is its owner's.
  if (file->contexts.at(name).token_file.empty()) ForgetToken(DefaultTokenFile(file->path, name));
  session.Say("removed " + name + (file->current == name ? "; no context is chosen now: jobctl context use NAME" : ""));
  return 0;
}

}  // namespace

void AddContext(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("context", "Choose between several jobd");
  app->footer(
      "Contexts stand in ~/.config/jobctl/config.toml (or --config FILE):\n\n"
      "  jobctl context add build --address build.example:7443 --ca ca.crt --cert me.crt --key me.key\n\n"
      "The file may be written by hand; paths in it are relative to it:\n\n"
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
  CLI::App* add =
      app->add_subcommand("add", "Add a context, of --address, --ca, --cert and --key; the first becomes the current one");
  add->add_option("NEW", *name, "Its name")->required();
  add->callback([name, &invocation] { invocation.action = [name](Session& session) { return AddOne(session, *name); }; });
  CLI::App* rm = app->add_subcommand("rm", "Remove a context; the files it names stay");
  rm->add_option("NAME", *name, "The context")->required();
  rm->callback([name, &invocation] { invocation.action = [name](Session& session) { return RemoveOne(session, *name); }; });
  CLI::App* use = app->add_subcommand("use", "Make a context the current one");
  use->add_option("NAME", *name, "The context")->required();
  use->callback([name, &invocation] { invocation.action = [name](Session& session) { return UseContext(session, *name); }; });
  CLI::App* show = app->add_subcommand("show", "Show a context; without a name, the current one");
  show->add_option("NAME", *name, "The context");
  show->callback([name, &invocation] { invocation.action = [name](Session& session) { return ShowContext(session, *name); }; });
}

}  // namespace jobd::cli
