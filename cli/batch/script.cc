#include "cli/batch/script.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/bounds.h"
#include "base/text.h"
#include "cli/view/file_line.h"

namespace jobd::cli {

namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Which program env(1) would run: the first word that is neither an option nor an assignment.
std::string_view ProgramOfEnv(std::string_view rest) {
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find_first_of(kBlank));
    if (!word.starts_with('-') && word.find('=') == std::string_view::npos) return word;
    rest = Trim(rest.substr(word.size()));
  }
  return {};
}

// The option behind which the program takes a script as an argument; empty: none is known. "python3.11" counts as "python".
std::string_view ScriptOption(std::string_view program) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kOptions{{{"sh", "-c"},
                                                                                    {"bash", "-c"},
                                                                                    {"dash", "-c"},
                                                                                    {"ash", "-c"},
                                                                                    {"ksh", "-c"},
                                                                                    {"zsh", "-c"},
                                                                                    {"fish", "-c"},
                                                                                    {"python", "-c"},
                                                                                    {"perl", "-e"},
                                                                                    {"ruby", "-e"},
                                                                                    {"node", "-e"},
                                                                                    {"nodejs", "-e"}}};
  const std::string_view name = program.substr(0, program.find_first_of("0123456789."));
  const auto* const found =
      std::find_if(kOptions.begin(), kOptions.end(), [name](const auto& entry) { return entry.first == name; });
  return found == kOptions.end() ? std::string_view() : found->second;
}

}  // namespace

base::Result<JobDraft> ReadScript(const std::string& text, const std::string& name) {
  const auto bad = [&name](const std::string& what) { return AtLine(name, 1, what); };
  const std::string_view first = Trim(std::string_view(text).substr(2, text.find('\n') - 2));
  const std::string_view path = first.substr(0, first.find_first_of(kBlank));
  const std::string_view rest = Trim(first.substr(path.size()));
  const std::string_view program = BaseName(path) == "env" ? BaseName(ProgramOfEnv(rest)) : BaseName(path);
  const std::string_view option = ScriptOption(program);
  if (option.empty()) {
    return bad(
        "a script of '" + base::EscapeForTerminal(program.empty() ? first : program) +
        "' cannot be handed over (those of shells, python, perl, ruby and node can): put it on jobd's machine and run it there");
  }
  if (text.size() > base::kMaxArgBytes)
    return bad("the script has more than " + std::to_string(base::kMaxArgBytes) +
               " bytes: put it on jobd's machine and run it there");
  if (text.find('\0') != std::string::npos) return bad("the script holds a NUL byte");
  JobDraft job;
  job.line = 1;
  job.argv.emplace_back(path);
  if (!rest.empty()) job.argv.emplace_back(rest);  // one argument, as the kernel passes it
  job.argv.emplace_back(option);
  job.argv.push_back(text);
  // Behind the script a shell takes its own name; the others would take an argument.
  if (option == "-c" && program.find("python") == std::string_view::npos && program != "fish") job.argv.push_back(name);
  return job;
}

}  // namespace jobd::cli
