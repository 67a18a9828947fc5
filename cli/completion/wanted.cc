#include "cli/completion/wanted.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <iterator>
#include <set>

#include "base/errno_text.h"
#include "cli/view/states.h"

namespace jobd::cli {

namespace {

using Kind = Wanted::Kind;

std::vector<Candidate> Signals() {
  std::vector<Candidate> signals;
  for (const int signal : {SIGTERM, SIGINT,  SIGKILL, SIGHUP,   SIGQUIT, SIGUSR1, SIGUSR2, SIGSTOP, SIGCONT, SIGTSTP,
                           SIGALRM, SIGABRT, SIGPIPE, SIGWINCH, SIGCHLD, SIGTTIN, SIGTTOU, SIGXCPU, SIGXFSZ, SIGVTALRM,
                           SIGPROF, SIGIO,   SIGPWR,  SIGTRAP,  SIGBUS,  SIGFPE,  SIGILL,  SIGSEGV, SIGSYS,  SIGURG}) {
    signals.push_back({base::SignalName(signal).substr(3), ""});
  }
  return signals;
}

std::vector<Candidate> Filters() {
  std::vector<Candidate> filters;
  for (const std::string& name : StateNames()) filters.push_back({"state=" + name, ""});
  filters.push_back({"label=", ""});
  return filters;
}

// "table|wide|json" as three words.
std::vector<Candidate> Alternatives(std::string_view type) {
  std::vector<Candidate> words;
  while (true) {
    const size_t bar = type.find('|');
    words.push_back({std::string(type.substr(0, bar)), ""});
    if (bar == std::string_view::npos) return words;
    type.remove_prefix(bar + 1);
  }
}

// The value of an option, or a positional argument. What its type says holds for all options; the names are for the rest.
void WantValue(const CLI::Option& option, Wanted& wanted) {
  const std::string type = option.get_type_name();
  const std::string name = option.get_name();
  if (type == "FILE" || name == "FILE") {
    wanted.kind = Kind::kFiles;
  } else if (type == "DIR") {
    wanted.kind = Kind::kFolders;
  } else if (type.find('|') != std::string::npos) {
    wanted.words = Alternatives(type);
  } else if (name == "--signal") {
    wanted.words = Signals();
  } else if (name == "--filter") {
    wanted.words = Filters();
  } else if (name == "--profile") {
    wanted.words = {{"standard", "namespaces, private /tmp, no privileges; the default"},
                    {"strict", "standard, and a read-only system without network"},
                    {"open", "limits and user alone"}};
  } else if (name == "--env") {
    wanted.kind = Kind::kVariables;
  } else if (name == "--context" || (name == "NAME" && wanted.verb == "context")) {
    wanted.kind = Kind::kContexts;
  } else if (name == "ID") {
    wanted.kind = Kind::kBatches;
  }
}

bool Repeatable(const CLI::Option& option) { return option.get_description().find("Repeatable") != std::string::npos; }

void WantOptions(const CLI::App& app, const std::set<const CLI::Option*>& used, Wanted& wanted) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() && option->get_snames().empty()) continue;
    if (used.contains(option) && !Repeatable(*option)) continue;
    for (const std::string& name : option->get_lnames()) wanted.words.push_back({"--" + name, option->get_description()});
    if (option->get_lnames().empty()) wanted.words.push_back({"-" + option->get_snames()[0], option->get_description()});
  }
}

// Those that say where jobd is, and as whom one asks there.
void Remember(const CLI::Option& option, const std::string& value, Wanted& wanted) {
  const std::string name = option.get_name();
  GlobalOptions& globals = wanted.globals;
  const std::pair<const char*, std::optional<std::string>*> known[] = {
      {"--address", &globals.address}, {"--ca", &globals.ca},           {"--cert", &globals.cert},
      {"--key", &globals.key},         {"--context", &globals.context}, {"--config", &globals.config_file}};
  for (const auto& [wants, field] : known) {
    if (name == wants) *field = value;
  }
  if (name == "--owner") wanted.owner = value;
}

class Reader {
 public:
  explicit Reader(const CLI::App& root) : root_(root), verb_(&root) {}

  // Each word but the last.
  void Read(const std::string& word) {
    if (const CLI::Option* option = std::exchange(awaiting_, nullptr)) return Remember(*option, word, wanted_);
    if (command_) {
      has_program_ = true;
      return;
    }
    if (word == "--" && !only_positional_) {
      only_positional_ = true;
      command_ = verb_->get_name() == "run";
      return;
    }
    if (only_positional_ || word == "-" || !word.starts_with('-')) return ReadPlain(word);
    awaiting_ = AwaitsValue(root_, *verb_, word);
    if (const CLI::Option* option = FindOption(root_, *verb_, word.substr(0, word.find('=')))) {
      used_.insert(option);
      if (const size_t equals = word.find('='); equals != std::string::npos) Remember(*option, word.substr(equals + 1), wanted_);
    }
  }

  Wanted Last(const std::string& word) {
    wanted_.current = word;
    if (awaiting_ != nullptr) {
      WantValue(*awaiting_, wanted_);
    } else if (command_) {
      wanted_.kind = has_program_ ? Kind::kFiles : Kind::kCommands;
    } else if (const size_t equals = word.find('='); !only_positional_ && word.starts_with("--") && equals != std::string::npos) {
      wanted_.prefix = word.substr(0, equals + 1);
      wanted_.current = word.substr(equals + 1);
      if (const CLI::Option* option = FindOption(root_, *verb_, word.substr(0, equals))) WantValue(*option, wanted_);
    } else if (word.starts_with('-') && word != "-" && !only_positional_) {
      WantOptions(*verb_, used_, wanted_);
      if (verb_ != &root_) WantOptions(root_, used_, wanted_);
    } else {
      WantPlain();
    }
    return std::move(wanted_);
  }

 private:
  void ReadPlain(const std::string& word) {
    if (verb_->get_name() == "run") {
      command_ = has_program_ = true;
      return;
    }
    if (verb_ == &root_ && word == "help") return;
    if (const CLI::App* inner = FindVerb(*verb_, word); inner != nullptr && !only_positional_) {
      if (verb_ == &root_) wanted_.verb = inner->get_name();
      verb_ = inner;
      return;
    }
    ++plain_;
  }

  void WantPlain() {
    if (verb_->get_name() == "run") {
      wanted_.kind = Kind::kCommands;
      return;
    }
    for (const CLI::App* inner : VerbsOf(*verb_)) wanted_.words.push_back({inner->get_name(), inner->get_description()});
    if (!wanted_.words.empty()) return;
    int place = plain_;
    for (const CLI::Option* option : verb_->get_options()) {
      if (!option->get_positional()) continue;
      if (place < option->get_items_expected_max()) return WantValue(*option, wanted_);
      place -= option->get_items_expected_max();
    }
    if (wanted_.current.empty()) WantOptions(*verb_, used_, wanted_);  // there is nothing else
  }

  const CLI::App& root_;
  const CLI::App* verb_;
  const CLI::Option* awaiting_ = nullptr;
  std::set<const CLI::Option*> used_;
  bool only_positional_ = false;
  bool command_ = false;      // of `run`: its words are not ours
  bool has_program_ = false;  // the first of them is there
  int plain_ = 0;             // words that are neither verbs nor options
  Wanted wanted_;
};

}  // namespace

Wanted WantedAt(const CLI::App& root, const Arguments& words) {
  Reader reader(root);
  for (size_t i = 0; i + 1 < words.size(); ++i) reader.Read(words[i]);
  return reader.Last(words.empty() ? "" : words.back());
}

}  // namespace jobd::cli
