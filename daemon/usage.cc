#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "daemon/options.h"

namespace jobd::daemon {

namespace {

constexpr const char* kUserVerbs = "add, passwd, rm, disable, enable or list";

// "A" and "B" of "A SEPARATOR B"; false when it is something else.
bool Split(std::string_view text, std::string_view separator, std::string& before, std::string& after) {
  const size_t at = text.find(separator);
  if (at == std::string_view::npos) return false;
  before = text.substr(0, at);
  after = text.substr(at + separator.size());
  return true;
}

std::string Commas(std::string list) {
  for (size_t at = 0; (at = list.find(',', at)) != std::string::npos; at += 2) list.replace(at, 1, ", ");
  return list;
}

}  // namespace

std::string UsageProblem(std::string_view said, const std::vector<std::string>& unexpected) {
  std::string one;
  std::string other;
  const bool no_user_verb = said == "A subcommand is required";
  if (!unexpected.empty()) {
    const std::string word = "'" + base::EscapeForTerminal(unexpected.front()) + "'";
    if (no_user_verb) return "there is no `jobd user " + base::EscapeForTerminal(unexpected.front()) + "`: it is " + kUserVerbs;
    if (unexpected.front().starts_with('-')) return "there is no option " + word;
    return word + " is not expected: a configuration is named by --config FILE";
  }
  if (no_user_verb) return std::string("`jobd user` needs to know what to do: ") + kUserVerbs;
  if (Split(said, ": 1 required ", one, other) && other.ends_with(" missing")) {
    return one + " needs a value: " + other.substr(0, other.size() - std::string_view(" missing").size());
  }
  if (Split(said, " excludes ", one, other)) return one + " and " + other + " do not go together: give one of them";
  if (Split(said, " requires ", one, other)) return one + " goes with " + other + " alone: give both, or neither";
  if (said == "NAME is required") return "the NAME of the user is missing";
  if (Split(said, " not in {", one, other) && other.ends_with('}')) {
    const size_t colon = one.find(": ");
    if (colon != std::string::npos) {
      return one.substr(0, colon) + ": '" + base::EscapeForTerminal(one.substr(colon + 2)) + "' is none of " +
             Commas(other.substr(0, other.size() - 1));
    }
  }
  return base::EscapeForTerminal(said);
}

}  // namespace jobd::daemon
