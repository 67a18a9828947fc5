// jobctl completion: scripts for shells, made from the verbs and options themselves.
#include <CLI/CLI.hpp>

#include "cli/connect/session.h"
#include "cli/verbs/verbs.h"

namespace jobd::cli {

namespace {

std::vector<const CLI::App*> VerbsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> FlagsOf(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
  return flags;
}

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

bool TakesIds(const CLI::App& verb) { return verb.get_option_no_throw("ID") != nullptr; }

// What may follow a verb: its own verbs and its options.
std::string WordsOf(const CLI::App& verb) {
  std::vector<std::string> words;
  for (const CLI::App* inner : VerbsOf(verb)) words.push_back(inner->get_name());
  for (std::string& flag : FlagsOf(verb)) words.push_back(std::move(flag));
  return Join(words);
}

// zsh uses the same function, through its emulation of bash's completion.
std::string Bash(const CLI::App& root) {
  std::vector<std::string> verbs;
  std::string words;
  std::string with_ids;
  for (const CLI::App* verb : VerbsOf(root)) {
    verbs.push_back(verb->get_name());
    words += "    " + verb->get_name() + ") words='" + WordsOf(*verb) + "' ;;\n";
    if (TakesIds(*verb)) with_ids += (with_ids.empty() ? "" : "|") + verb->get_name();
  }
  return "_jobctl() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} verb= words= word\n"
         "  local globals='" +
         Join(FlagsOf(root)) +
         "'\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case $word in --) return ;; esac\n"
         "    case \" " +
         Join(verbs) +
         " \" in *\" $word \"*) verb=$word; break ;; esac\n"
         "  done\n"
         "  case $verb in\n"
         "    '') words='" +
         Join(verbs) + "' ;;\n" + words +
         "  esac\n"
         "  case $cur in -*) words=\"$words $globals\" ;; esac\n"
         "  case $verb in\n"
         "    " +
         with_ids +
         ")\n"
         "      case $cur in -*) ;; *) words=\"last $(jobctl list -q -o name --connect-timeout 1s 2>/dev/null)\" ;; esac ;;\n"
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "  case $verb in submit) [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$cur\")) ;; esac\n"
         "}\n"
         "complete -o default -F _jobctl jobctl\n";
}

std::string Zsh(const CLI::App& root) { return "#compdef jobctl\nautoload -U +X bashcompinit && bashcompinit\n" + Bash(root); }

std::string FishQuoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string FishOptions(const CLI::App& app, const std::string& condition) {
  std::string text;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() && option->get_snames().empty()) continue;
    text += "complete -c jobctl" + condition;
    for (const std::string& name : option->get_lnames()) text += " -l " + name;
    for (const std::string& name : option->get_snames()) text += " -s " + name;
    if (option->get_expected_min() > 0) text += " -r";
    text += " -d " + FishQuoted(option->get_description()) + "\n";
  }
  return text;
}

std::string Fish(const CLI::App& root) {
  std::string text = "complete -c jobctl -f\n" + FishOptions(root, "");
  for (const CLI::App* verb : VerbsOf(root)) {
    const std::string name = verb->get_name();
    const std::string behind = " -n '__fish_seen_subcommand_from " + name + "'";
    text += "complete -c jobctl -n __fish_use_subcommand -a " + name + " -d " + FishQuoted(verb->get_description()) + "\n";
    for (const CLI::App* inner : VerbsOf(*verb)) {
      text += "complete -c jobctl" + behind + " -a " + inner->get_name() + " -d " + FishQuoted(inner->get_description()) + "\n";
    }
    if (TakesIds(*verb)) {
      text += "complete -c jobctl" + behind + " -a 'last (jobctl list -q -o name --connect-timeout 1s 2>/dev/null)'\n";
    }
    text += FishOptions(*verb, behind);
  }
  return text;
}

}  // namespace

void AddCompletion(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("completion", "Print a script that completes jobctl's words in a shell");
  app->footer(
      "  bash: source <(jobctl completion bash)\n"
      "  zsh:  source <(jobctl completion zsh)\n"
      "  fish: jobctl completion fish | source");
  app->require_subcommand(1);
  const auto add = [&](const char* shell, std::string (*script)(const CLI::App&)) {
    app->add_subcommand(shell, std::string("For ") + shell)->callback([script, &invocation] {
      invocation.action = [script, &invocation](Session& session) {
        session.out().Write(script(*invocation.root));
        return 0;
      };
    });
  };
  add("bash", Bash);
  add("zsh", Zsh);
  add("fish", Fish);
}

}  // namespace jobd::cli
