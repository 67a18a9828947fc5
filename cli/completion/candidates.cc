#include "cli/completion/candidates.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "cli/connect/client.h"
#include "cli/connect/context_file.h"
#include "cli/view/states.h"
#include "cli/view/views.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::cli {

namespace {

constexpr uint32_t kMostBatches = 100;
constexpr size_t kLongestHelp = 60;
// Somebody looks at a command line that does not take a key.
constexpr base::Nanos kPatience = base::kNanosPerSecond;

// A line of its own in the answer, and harmless in a terminal.
std::string Line(const std::string& text) {
  std::string line = base::EscapeForTerminal(text.substr(0, text.find('\n')));
  std::replace(line.begin(), line.end(), '\t', ' ');
  return line;
}

std::string HelpOf(const std::string& name, v1::JobState state) {
  const std::string shown = Line(name);
  return shown.empty() ? StateName(state) : StateName(state) + ", " + shown;
}

// The states of batches with which the verb can do something; empty: any.
std::vector<v1::JobState> StatesFor(const std::string& verb) {
  if (verb == "cancel" || verb == "kill" || verb == "hold") return LiveStates();
  if (verb == "release") return {v1::JOB_STATE_QUEUED, v1::JOB_STATE_HELD, v1::JOB_STATE_RUNNING};
  if (verb == "retry") return FailureStates();
  if (verb == "rm") {
    auto ended = FailureStates();
    ended.push_back(v1::JOB_STATE_SUCCEEDED);
    return ended;
  }
  return {};
}

// Jobs of the batch that is named before the slash.
std::vector<Candidate> Jobs(Client& client, const Wanted& wanted) {
  const std::string batch = wanted.current.substr(0, wanted.current.find('/'));
  v1::GetBatchRequest request;
  request.set_address(batch);
  request.set_owner(wanted.owner);
  request.set_page_size(kMostBatches);
  for (const v1::JobState state : StatesFor(wanted.verb)) request.add_states(state);
  v1::GetBatchResponse response;
  std::vector<Candidate> found;
  if (!client.GetBatch(request, &response).ok()) return found;
  for (const v1::JobStatus& job : response.jobs())
    found.push_back({batch + "/" + std::to_string(job.index()), HelpOf(job.name(), job.result().state())});
  for (const v1::JobStatus& job : response.jobs()) {
    if (base::IsSafeName(job.name())) found.push_back({batch + "/" + job.name(), HelpOf("", job.result().state())});
  }
  return found;
}

std::vector<Candidate> Batches(Client& client, const Wanted& wanted) {
  v1::ListBatchesRequest request;
  request.set_owner(wanted.owner);
  request.set_page_size(kMostBatches);
  const auto states = StatesFor(wanted.verb);
  for (const v1::JobState state : states) request.add_states(state);
  v1::ListBatchesResponse response;
  std::vector<Candidate> found;
  if (!client.ListBatches(request, &response).ok()) return found;
  if (states.empty() && response.batches_size() > 0) found.push_back({"last", "the newest"});
  for (const v1::Batch& batch : response.batches()) {
    const std::string what = batch.name().empty() && batch.has_first_job() ? CommandLine(batch.first_job()) : batch.name();
    if (base::IsSafeName(batch.correlation_id())) found.push_back({batch.correlation_id(), HelpOf(what, batch.state())});
  }
  // A name means the newest batch of that name.
  std::set<std::string> names;
  for (const v1::Batch& batch : response.batches()) {
    if (base::IsSafeName(batch.name()) && names.insert(batch.name()).second)
      found.push_back({batch.name(), HelpOf("", batch.state())});
  }
  return found;
}

std::vector<Candidate> OfJobd(const Wanted& wanted, const Environment& env) {
  auto connection = ResolveConnection(wanted.globals, env);
  if (!connection.ok()) return {};
  connection->answer_within = kPatience;
  const auto client = Client::Create(std::move(connection).value(), [](const std::string&) {});
  if (!client.ok()) return {};
  return wanted.current.find('/') == std::string::npos ? Batches(**client, wanted) : Jobs(**client, wanted);
}

std::vector<Candidate> Contexts(const Wanted& wanted, const Environment& env) {
  std::vector<Candidate> found;
  const auto file = LoadContexts(wanted.globals, env);
  if (!file.ok()) return found;
  for (const auto& [name, context] : file->contexts) found.push_back({name, context.address});
  return found;
}

std::vector<Candidate> Variables() {
  std::vector<Candidate> found;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const std::string name(text.substr(0, text.find('=')));
    if (base::IsSafeName(name)) found.push_back({name, ""});
  }
  return found;
}

}  // namespace

std::string CandidatesText(const Wanted& wanted, const Environment& env) {
  std::vector<Candidate> found;
  switch (wanted.kind) {
    case Wanted::Kind::kFiles: return "files\n";
    case Wanted::Kind::kFolders: return "folders\n";
    case Wanted::Kind::kCommands: return "commands\n";
    case Wanted::Kind::kWords: found = wanted.words; break;
    case Wanted::Kind::kBatches: found = OfJobd(wanted, env); break;
    case Wanted::Kind::kContexts: found = Contexts(wanted, env); break;
    case Wanted::Kind::kVariables: found = Variables(); break;
  }
  std::string text = "words\n";
  for (const Candidate& candidate : found) {
    const std::string help = Line(candidate.help);
    text += wanted.prefix + candidate.word + "\t";
    text += help.size() > kLongestHelp ? help.substr(0, help.rfind(' ', kLongestHelp)) + "…" : help;
    text += "\n";
  }
  return text;
}

}  // namespace jobd::cli
