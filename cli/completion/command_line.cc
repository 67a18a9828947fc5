#include "cli/completion/command_line.h"

#include <CLI/CLI.hpp>

namespace jobd::cli {

std::vector<CLI::App*> VerbsOf(CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<const CLI::App*> VerbsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

CLI::App* FindVerb(CLI::App& app, const std::string& name) {
  for (CLI::App* verb : VerbsOf(app)) {
    if (verb->check_name(name)) return verb;
  }
  return nullptr;
}

const CLI::App* FindVerb(const CLI::App& app, const std::string& name) {
  for (const CLI::App* verb : VerbsOf(app)) {
    if (verb->check_name(name)) return verb;
  }
  return nullptr;
}

const CLI::Option* FindOption(const CLI::App& root, const CLI::App& verb, const std::string& name) {
  const CLI::Option* option = verb.get_option_no_throw(name);
  return option != nullptr ? option : root.get_option_no_throw(name);
}

bool TakesValue(const CLI::Option& option) { return option.get_expected_min() > 0; }

const CLI::Option* AwaitsValue(const CLI::App& root, const CLI::App& verb, const std::string& arg) {
  const auto with_value = [&](const std::string& name) {
    const CLI::Option* option = FindOption(root, verb, name);
    return option != nullptr && TakesValue(*option) ? option : nullptr;
  };
  if (arg.starts_with("--")) return arg.find('=') == std::string::npos ? with_value(arg) : nullptr;
  for (size_t i = 1; i < arg.size(); ++i) {
    if (const CLI::Option* option = with_value(std::string("-") + arg[i])) return i + 1 == arg.size() ? option : nullptr;
  }
  return nullptr;
}

Arguments::const_iterator SkipOptions(const CLI::App& root, const CLI::App& verb, Arguments::const_iterator begin,
                                      Arguments::const_iterator end) {
  for (auto arg = begin; arg != end; ++arg) {
    if (*arg == "--" || !arg->starts_with('-') || *arg == "-") return arg;
    if (AwaitsValue(root, verb, *arg) != nullptr && ++arg == end) return end;
  }
  return end;
}

}  // namespace jobd::cli
