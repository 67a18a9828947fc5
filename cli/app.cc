#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <iostream>

#include "cli/connect/session.h"
#include "cli/verbs/verbs.h"
#include "cli/view/exit_code.h"
#include "cli/view/suggest.h"

namespace jobd::cli {

namespace {

constexpr std::array<std::string_view, 10> kOptionsWithValue{"--address", "--ca",     "--cert", "--key",    "--token-file",
                                                             "--context", "--config", "-o",     "--output", "--connect-timeout"};

void AddGlobalOptions(CLI::App& app, GlobalOptions& options) {
  const char* const group = "Global";
  const auto text = [&](const char* flags, std::optional<std::string>& field, const char* type, const char* help) {
    app.add_option_function<std::string>(
           flags, [&field](const std::string& value) { field = value; }, help)
        ->type_name(type)
        ->group(group);
  };
  text("--address", options.address, "HOST:PORT", "Where jobd listens [JOBCTL_ADDRESS; default 127.0.0.1:7443]");
  text("--ca", options.ca, "FILE", "Certificate that signed jobd's [JOBCTL_CA]");
  text("--cert", options.cert, "FILE", "Certificate to show jobd [JOBCTL_CERT]");
  text("--key", options.key, "FILE", "Its key [JOBCTL_KEY]");
  text("--token-file", options.token_file, "FILE", "File with an access token");
  text("--context", options.context, "NAME", "Context to take those from; see `jobctl context`");
  text("--config", options.config_file, "FILE", "File of contexts [~/.config/jobctl/config.toml]");
  text("-o,--output", options.output, "table|wide|json|jsonl|name", "How to print [JOBCTL_OUTPUT]");
  text("--connect-timeout", options.connect_timeout, "TIME", "How long to try to reach jobd [10s]");
  app.add_flag("--json", options.json, "Short for -o json")->group(group);
  app.add_flag("--no-color", options.no_color, "No colours [NO_COLOR]")->group(group);
  app.add_flag("-q,--quiet", options.quiet, "Say nothing but errors")->group(group);
}

void AddVerbs(CLI::App& app, Invocation& invocation) {
  AddRun(app, invocation);
  AddSubmit(app, invocation);
  AddStatus(app, invocation);
  AddList(app, invocation);
  AddLogs(app, invocation);
  AddWait(app, invocation);
  AddCancel(app, invocation);
  AddKill(app, invocation);
  AddRetry(app, invocation);
  AddHold(app, invocation);
  AddRelease(app, invocation);
  AddRm(app, invocation);
  AddPrune(app, invocation);
  AddWhoami(app, invocation);
  AddAdmin(app, invocation);
  AddContext(app, invocation);
  AddCompletion(app, invocation);
  AddVersion(app, invocation);
}

// The first argument that is neither an option nor an option's value.
std::vector<std::string>::iterator FindVerb(std::vector<std::string>& args) {
  for (auto arg = args.begin(); arg != args.end(); ++arg) {
    if (!arg->starts_with('-')) return arg;
    if (std::find(kOptionsWithValue.begin(), kOptionsWithValue.end(), *arg) != kOptionsWithValue.end() && ++arg == args.end())
      break;
  }
  return args.end();
}

int UsageError(const std::string& message, const std::string& verb) {
  std::cerr << "jobctl: " << message << "\nSee `jobctl " << (verb.empty() ? "" : verb + " ") << "--help`.\n";
  return kExitUsage;
}

// Global options stand before or behind the verb.
void AllowGlobalsBehind(CLI::App& app) {
  for (CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    verb->fallthrough();
    AllowGlobalsBehind(*verb);
  }
}

int Run(std::vector<std::string> args) {
  GlobalOptions options;
  Invocation invocation;
  CLI::App app("Runs commands on the machine of a jobd, and shows what became of them.", "jobctl");
  app.footer("`jobctl VERB --help` tells more. Exit codes of jobctl itself: 2 usage, 124 timed out, 125 jobd or jobctl failed.");
  app.get_formatter()->column_width(34);
  app.require_subcommand(1);
  AddGlobalOptions(app, options);
  AddVerbs(app, invocation);
  AllowGlobalsBehind(app);
  invocation.root = &app;

  auto verb = FindVerb(args);
  if (verb != args.end() && *verb == "help") {  // `help VERB…` is `VERB… --help`
    args.erase(verb);
    args.emplace_back("--help");
    verb = FindVerb(args);
  }
  const std::string verb_name = verb == args.end() ? "" : *verb;
  bool known = verb_name.empty();
  std::vector<std::string> names;
  for (const CLI::App* candidate : app.get_subcommands([](const CLI::App*) { return true; })) {
    known = known || candidate->check_name(verb_name);
    names.push_back(candidate->get_name());
  }
  if (!known) return UsageError("there is no verb '" + verb_name + "'" + DidYouMean(verb_name, names), "");
  if (verb_name == "run") {  // the command's arguments are none of the parser's business
    const auto dashes = std::find(verb, args.end(), "--");
    if (dashes != args.end()) invocation.command.assign(dashes + 1, args.end());
    args.erase(dashes, args.end());
  }
  std::reverse(args.begin(), args.end());  // as CLI11 wants them
  try {
    app.parse(std::move(args));
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return UsageError(error.what(), verb_name);
  }

  const Environment env = ProcessEnvironment();
  const auto format = ResolveFormat(options, env);
  Session session(options, format.ok() ? *format : OutputFormat::kTable, env);
  if (!format.ok()) return session.Fail(format.error());
  return session.Finish(invocation.action(session));
}

}  // namespace

int Main(int argc, char** argv) {
  // The last resort: a failed allocation or the like deep below ends as every other failure of jobctl.
  try {
    return Run(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
  } catch (const std::exception& error) {
    std::cerr << "jobctl: " << error.what() << "\n";
    return kExitFailed;
  }
}

}  // namespace jobd::cli
