// A command run in the foreground, from its submission to its end.
#pragma once

namespace jobd::v1 {
class ExecuteJobRequest;
}

namespace jobd::cli {

class Session;

// Submits the job, copies its output, passes Ctrl-C on and returns the exit code that says how it ended. The request must carry a
// correlation ID. SIGINT, SIGTERM, SIGQUIT and SIGHUP are taken by a thread while it runs.
int RunAttached(Session& session, const v1::ExecuteJobRequest& request, bool raw);

}  // namespace jobd::cli
