// How a command line of jobctl reads, before it is whole: which words are verbs, options and their values.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace jobd::cli {

using Arguments = std::vector<std::string>;

// All verbs of `app`, in the order in which they were added.
std::vector<CLI::App*> VerbsOf(CLI::App& app);
std::vector<const CLI::App*> VerbsOf(const CLI::App& app);
// By name or alias; nullptr: there is none.
CLI::App* FindVerb(CLI::App& app, const std::string& name);
const CLI::App* FindVerb(const CLI::App& app, const std::string& name);

// The option `name` ("-o", "--output"), of the verb or a global one; nullptr: nobody knows it.
const CLI::Option* FindOption(const CLI::App& root, const CLI::App& verb, const std::string& name);
bool TakesValue(const CLI::Option& option);
// The option in `arg` whose value is the next argument: "--timeout 5", "-e A=1", "-de A=1". nullptr when there is none, as in
// "--timeout=5", "-eA=1" or "--json".
const CLI::Option* AwaitsValue(const CLI::App& root, const CLI::App& verb, const std::string& arg);

// The first argument from `begin` on that is neither an option nor the value of one.
Arguments::const_iterator SkipOptions(const CLI::App& root, const CLI::App& verb, Arguments::const_iterator begin,
                                      Arguments::const_iterator end);

}  // namespace jobd::cli
