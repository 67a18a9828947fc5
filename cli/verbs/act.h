// Verbs that do the same thing to each of some batches or jobs.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/connect/job_ref.h"

namespace CLI {
class App;
}

namespace jobd::cli {

class Client;
class Session;

// What was done: for a person, and as fields of a JSON object.
struct Deed {
  std::string text;
  nlohmann::ordered_json fields;
};

struct ActOptions {
  std::vector<std::string> ids;
  std::string owner;
};

// ID… and --owner.
void AddActOptions(CLI::App& app, ActOptions& options);

// Does it to each, in order, goes on behind one that fails, and returns 0 when none did. Prints a line each: "ID: TEXT", or
// {"correlation_id", "index", FIELDS…}, or the ID.
int ForEach(Session& session, const ActOptions& options, const std::function<base::Result<Deed>(Client&, const JobRef&)>& act);

// "3 jobs", "1 job".
std::string Jobs(uint32_t count);

}  // namespace jobd::cli
