// The verbs, a file each. To add one: a file cli/verbs/NAME.cc with its help and its AddName, a line here and one in app.cc.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace jobd::cli {

class Session;

// What the command line asked for. A verb's options live in the closure of its action.
struct Invocation {
  std::function<int(Session&)> action;
  std::vector<std::string> command;  // of `run`: the words from the command on, byte for byte
};

void AddRun(CLI::App& root, Invocation& invocation);
void AddSubmit(CLI::App& root, Invocation& invocation);
void AddStatus(CLI::App& root, Invocation& invocation);
void AddList(CLI::App& root, Invocation& invocation);
void AddExplain(CLI::App& root, Invocation& invocation);
void AddLogs(CLI::App& root, Invocation& invocation);
void AddWait(CLI::App& root, Invocation& invocation);
void AddCancel(CLI::App& root, Invocation& invocation);
void AddKill(CLI::App& root, Invocation& invocation);
void AddRetry(CLI::App& root, Invocation& invocation);
void AddHold(CLI::App& root, Invocation& invocation);
void AddRelease(CLI::App& root, Invocation& invocation);
void AddRm(CLI::App& root, Invocation& invocation);
void AddPrune(CLI::App& root, Invocation& invocation);
void AddLogin(CLI::App& root, Invocation& invocation);
void AddLogout(CLI::App& root, Invocation& invocation);
void AddWhoami(CLI::App& root, Invocation& invocation);
// Below `admin`.
void AddSessions(CLI::App& admin, Invocation& invocation);
void AddAdmin(CLI::App& root, Invocation& invocation);
void AddContext(CLI::App& root, Invocation& invocation);
void AddCompletion(CLI::App& root, Invocation& invocation);
void AddVersion(CLI::App& root, Invocation& invocation);

}  // namespace jobd::cli
