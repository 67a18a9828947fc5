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

// The result of an action on one batch or job: in words, and as fields of a JSON object.
struct ActionResult {
  std::string text;
  nlohmann::ordered_json fields;
};

struct ActOptions {
  std::vector<std::string> ids;
  std::string owner;
};

// ID… and --owner.
void AddActOptions(CLI::App& app, ActOptions& options);

// Acts on each, in order, and goes on after a failure. Returns 0 when none failed. Prints a line each: "ID: TEXT", or
// {"correlation_id", "index", FIELDS…}, or the ID.
int ForEach(Session& session, const ActOptions& options,
            const std::function<base::Result<ActionResult>(Client&, const JobRef&)>& act);

// "3 jobs", "1 job".
std::string Jobs(uint32_t count);

}  // namespace jobd::cli
