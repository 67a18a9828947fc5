#include "cli/app.h"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>

#include "base/errno_text.h"
#include "base/text.h"
#include "cli/completion/candidates.h"
#include "cli/connect/session.h"
#include "cli/verbs/verbs.h"
#include "cli/view/exit_code.h"
#include "cli/view/json_view.h"
#include "cli/view/output.h"
#include "cli/view/suggest.h"
#include "cli/view/wrap.h"

namespace jobd::cli {

namespace {

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
  text("--token-file", options.token_file, "FILE", "File with the access token of a login [beside the contexts]");
  text("--context", options.context, "NAME", "Context to take those from; see `jobctl context`");
  text("--config", options.config_file, "FILE", "File of contexts [~/.config/jobctl/config.toml]");
  text("-o,--output", options.output, "table|wide|json|jsonl|name", "How to print [JOBCTL_OUTPUT]");
  text("--connect-timeout", options.connect_timeout, "TIME", "How long to try to reach jobd [10s]");
  app.add_flag("--json", options.json, "Short for -o json")->group(group);
  app.add_flag("--no-color", options.no_color, "No colours [NO_COLOR]")->group(group);
  app.set_version_flag("--version", "jobctl " JOBD_VERSION, "Show the version of jobctl")->group(group);
  app.add_flag("-q,--quiet", options.quiet, "Say nothing but errors")->group(group);
}

void AddVerbs(CLI::App& app, Invocation& invocation) {
  AddRun(app, invocation);
  AddSubmit(app, invocation);
  AddStatus(app, invocation);
  AddList(app, invocation);
  AddExplain(app, invocation);
  AddLogs(app, invocation);
  AddWait(app, invocation);
  AddCancel(app, invocation);
  AddKill(app, invocation);
  AddRetry(app, invocation);
  AddHold(app, invocation);
  AddRelease(app, invocation);
  AddRm(app, invocation);
  AddPrune(app, invocation);
  AddLogin(app, invocation);
  AddLogout(app, invocation);
  AddWhoami(app, invocation);
  AddAdmin(app, invocation);
  AddContext(app, invocation);
  AddCompletion(app, invocation);
  AddVersion(app, invocation);
}

// Names that other systems have for our verbs.
std::string VerbOfOthers(std::string_view name) {
  constexpr auto kOthers = std::to_array<std::pair<std::string_view, std::string_view>>({
      {"ps", "list"},
      {"jobs", "list"},
      {"squeue", "list"},
      {"sacct", "list"},
      {"history", "list"},
      {"top", "list"},
      {"show", "status"},
      {"inspect", "status"},
      {"describe", "status"},
      {"get", "status"},
      {"stop", "cancel"},
      {"abort", "cancel"},
      {"scancel", "cancel"},
      {"exec", "run"},
      {"srun", "run"},
      {"start", "run"},
      {"add", "submit"},
      {"apply", "submit"},
      {"create", "submit"},
      {"enqueue", "submit"},
      {"sbatch", "submit"},
      {"attach", "logs -f"},
      {"follow", "logs -f"},
      {"tail", "logs -f"},
      {"log", "logs"},
      {"pause", "hold"},
      {"suspend", "hold"},
      {"resume", "release"},
      {"unpause", "release"},
      {"restart", "retry"},
      {"rerun", "retry"},
      {"requeue", "retry"},
      {"delete", "rm"},
      {"remove", "rm"},
      {"clean", "prune"},
      {"info", "admin status"},
      {"sinfo", "admin status"},
      {"reload", "admin reload"},
      {"drain", "admin drain"},
      {"config", "admin config"},
  });
  for (const auto& [other, ours] : kOthers) {
    if (other == name) return " (did you mean '" + std::string(ours) + "'?)";
  }
  return "";
}

// A suggestion for an argument that the verb does not take, also where other systems have it.
std::string SuggestFor(CLI::App& root, CLI::App& verb, const std::string& arg) {
  std::vector<std::string> names;
  if (!arg.starts_with('-')) {
    for (const CLI::App* inner : VerbsOf(verb)) names.push_back(inner->get_name());
    return DidYouMean(arg, names);
  }
  const std::string name = arg.substr(0, arg.find('='));
  if (verb.get_name() == "kill" && name.size() > 2 && base::SignalNumber(name.substr(1)) != 0)  // as kill(1) has it
    return ": a signal stands behind -s: `jobctl kill -s " + name.substr(1) + " ID`";
  constexpr auto kOthers = std::to_array<std::pair<std::string_view, std::string_view>>({
      {"--state", "--filter state=…"},
      {"-w", "--workdir"},
      {"-u", "--user"},
      {"-m", "--memory"},
      {"-i", "--stdin -"},
      {"--volume", "--workdir"},
      {"-V", "--version"},
  });
  for (const auto& [other, ours] : kOthers) {
    if (other == name) return " (did you mean '" + std::string(ours) + "'?)";
  }
  for (const CLI::App* app : {&verb, &root}) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& known : option->get_lnames()) names.push_back("--" + known);
    }
  }
  return DidYouMean(name, names);
}

// The format is not known yet where the command line cannot be understood; so it is looked for.
bool WantsJson(const Arguments& args) {
  const auto is_json = [](std::string_view format) { return format == "json" || format == "jsonl"; };
  for (size_t i = 0; i < args.size() && args[i] != "--"; ++i) {
    const std::string_view arg = args[i];
    if (arg == "--json" || arg == "--output=json" || arg == "--output=jsonl" || arg == "-ojson" || arg == "-ojsonl") return true;
    if ((arg == "-o" || arg == "--output") && i + 1 < args.size() && is_json(args[i + 1])) return true;
  }
  const char* const variable = std::getenv("JOBCTL_OUTPUT");
  return variable != nullptr && is_json(variable);
}

int UsageError(const std::string& message, const std::string& verb, bool json) {
  if (json) {
    std::cerr << ErrorToJson(base::Error(base::Code::kInvalidArgument, message), {}).dump() << "\n";
    return kExitUsage;
  }
  std::cerr << "jobctl: " << message << "\nSee `jobctl " << (verb.empty() ? "" : verb + " ") << "--help`.\n";
  return kExitUsage;
}

// What CLI11 found, in words for who has typed it.
std::string Problem(const CLI::ParseError& error) {
  const std::string text = error.what();
  if (const size_t at = text.find(": 1 required "); at != std::string::npos && text.ends_with(" missing")) {
    const size_t type = at + std::string_view(": 1 required ").size();
    return text.substr(0, at) + " needs a value: " + text.substr(type, text.size() - type - std::string_view(" missing").size());
  }
  constexpr std::string_view kTwice = ": At Most 1 required but received ";
  if (const size_t at = text.find(kTwice); at != std::string::npos) {
    const std::string times = text.substr(at + kTwice.size());
    return text.substr(0, at) + " is given " + (times == "2" ? "twice" : times + " times") + "; it has one value";
  }
  constexpr std::string_view kConversion = "Could not convert: ";
  if (const size_t equals = text.find(" = "); text.starts_with(kConversion) && equals != std::string::npos) {
    return text.substr(kConversion.size(), equals - kConversion.size()) + ": '" + base::EscapeForTerminal(text.substr(equals + 3)) +
           "' is not a number";
  }
  if (text == "A subcommand is required") return "no verb is given";
  return text;
}

// Global options stand before or behind the verb.
void AllowGlobalsBehind(CLI::App& app) {
  for (CLI::App* verb : VerbsOf(app)) {
    verb->fallthrough();
    AllowGlobalsBehind(*verb);
  }
}

// Opens /dev/null where a standard descriptor is closed: else a socket or a file of ours would get its number, and with it what is
// meant for a person. Standard output is opened for reading, so that writing to it fails as before: lost data is no success.
void FillStandardDescriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    const int opened = ::open("/dev/null", (fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (opened < 0) return;  // without /dev/null there is nothing better
  }
}

int Run(Arguments args) {
  GlobalOptions options;
  Invocation invocation;
  const bool json = WantsJson(args);
  CLI::App app("Runs commands on the machine of a jobd, and shows how they ended.", "jobctl");
  app.get_formatter()->column_width(34);
  app.require_subcommand(1);
  AddGlobalOptions(app, options);
  AddVerbs(app, invocation);
  // After the verbs, which would inherit it.
  app.footer(
      "`jobctl VERB --help` tells more. Exit codes of jobctl itself: 2 usage, 3 no such batch or job, 4 not allowed, 124 timed "
      "out,\n"
      "125 jobd or jobctl failed. Of `run`, `wait` and `submit --wait` 3 and 4 are the jobs' own.");
  AllowGlobalsBehind(app);

  if (!args.empty() && args[0] == "__complete") {  // of the scripts that `completion` prints
    std::cout << CandidatesText(WantedAt(app, Arguments(args.begin() + 1, args.end())), ProcessEnvironment());
    return 0;
  }
  auto verb = SkipOptions(app, app, args.begin(), args.end());
  if (verb != args.end() && *verb == "help") {  // `help VERB…` is `VERB… --help`
    args.erase(verb);
    args.emplace_back("--help");
    verb = SkipOptions(app, app, args.begin(), args.end());
  }
  const std::string verb_name = verb == args.end() ? "" : *verb;
  CLI::App* const found = verb_name.empty() ? &app : FindVerb(app, verb_name);
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const CLI::App* candidate : VerbsOf(app)) names.push_back(candidate->get_name());
    std::string suggestion = VerbOfOthers(verb_name);
    if (suggestion.empty()) suggestion = DidYouMean(verb_name, names);
    return UsageError("there is no verb '" + base::EscapeForTerminal(verb_name) + "'" + suggestion, "", json);
  }
  if (verb_name == "run") {  // the parser must not see the command and its arguments
    const auto command = SkipOptions(app, *found, verb + 1, args.end());
    const bool dashes = command != args.end() && *command == "--";
    invocation.command.assign(dashes ? command + 1 : command, args.cend());
    args.erase(command, args.end());
  }
  std::reverse(args.begin(), args.end());  // as CLI11 wants them
  try {
    app.parse(std::move(args));
  } catch (const CLI::CallForHelp&) {
    OutputStream out(STDOUT_FILENO);
    return out.Write(Wrapped(app.help(), out.is_terminal() ? TerminalWidth(STDOUT_FILENO) : 0)) ? 0 : kExitFailed;
  } catch (const CLI::CallForVersion& version) {
    return app.exit(version);
  } catch (const CLI::ParseError& error) {
    const Arguments unexpected = app.remaining(/*recurse=*/true);
    if (unexpected.empty()) return UsageError(Problem(error), verb_name, json);
    return UsageError(
        "'" + base::EscapeForTerminal(unexpected[0]) + "' is not expected here" + SuggestFor(app, *found, unexpected[0]), verb_name,
        json);
  }

  const Environment env = ProcessEnvironment();
  const auto format = ResolveFormat(options, env);
  Session session(options, format.ok() ? *format : OutputFormat::kTable, env);
  if (!format.ok()) return session.Fail(format.error());
  return session.Finish(invocation.action(session));
}

}  // namespace

int Main(int argc, char** argv) {
  FillStandardDescriptors();
  // The last resort: a failed allocation or the like deep below ends as every other failure of jobctl.
  try {
    return Run(Arguments(argv + std::min(argc, 1), argv + argc));
  } catch (const std::exception& error) {
    std::cerr << "jobctl: " << error.what() << "\n";
    return kExitFailed;
  }
}

}  // namespace jobd::cli
