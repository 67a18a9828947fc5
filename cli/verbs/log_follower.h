// Logs as `logs` and `submit --follow` show them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cli/connect/job_ref.h"
#include "cli/view/log_printer.h"

namespace jobd::cli {

class Canceller;
class Client;
class Session;

struct LogRequest {
  enum class Streams { kBoth, kStdout, kStderr };

  JobRef ref;  // resolved
  Streams streams = Streams::kBoth;
  std::optional<std::string> cursor;  // without the next two
  // With both, what both let through.
  std::optional<uint64_t> tail_lines;
  std::optional<base::Nanos> since;
  std::optional<base::Nanos> until;
  bool follow = false;
  // Of each job's attempts: 0: all, with a word between them; -1: the last, and any later one; else this one.
  int32_t attempt = -1;
  // Following from the beginning: how many jobs it is of, all of whose ends will be told. 0: not known, or not all.
  uint32_t jobs = 0;
  LogFormat format;
};

// Prints the log, across losses of the link. Following, it waits for the end and says on standard error how each job ended that did
// not succeed. With JSON each chunk is a line {"correlation_id", "index", "stream", "attempt", "offset", "time", "data", "dropped",
// "cursor"}, where the cursor stands in the last line of a message, and each end a line as EndToJson has it. Returns the largest of
// the exit codes of the jobs whose end was told (0 without following), or 130 when `canceller` ended it. kDataLoss when the log
// ends before the ends of all `jobs` were told: what nobody has seen end is no success.
base::Result<int> FollowLogs(Session& session, Client& client, const LogRequest& request, Canceller* canceller);

}  // namespace jobd::cli
