// jobctl completion: scripts for shells, which ask jobctl itself what may come next.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <climits>

#include "cli/completion/scripts.h"
#include "cli/connect/session.h"
#include "cli/verbs/verbs.h"

namespace jobd::cli {

namespace {

std::string OwnPath() {
  std::array<char, PATH_MAX> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  return length > 0 ? std::string(path.data(), static_cast<size_t>(length)) : "jobctl";
}

}  // namespace

void AddCompletion(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("completion", "Print a script that completes jobctl's words in a shell");
  app->footer(
      "  bash: source <(jobctl completion bash)\n"
      "  zsh:  source <(jobctl completion zsh), or as a file _jobctl in a folder of $fpath\n"
      "  fish: jobctl completion fish | source\n\n"
      "IDs are asked of jobd, for a second at most.");
  app->require_subcommand(1);
  const auto add = [&](const char* shell, std::string (*script)(const std::string&)) {
    app->add_subcommand(shell, std::string("For ") + shell)->callback([script, &invocation] {
      invocation.action = [script](Session& session) {
        session.out().Write(script(OwnPath()));
        return 0;
      };
    });
  };
  add("bash", BashScript);
  add("zsh", ZshScript);
  add("fish", FishScript);
}

}  // namespace jobd::cli
