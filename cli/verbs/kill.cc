// jobctl kill: send a signal.
#include <CLI/CLI.hpp>

#include "base/errno_text.h"
#include "base/text.h"
#include "cli/connect/client.h"
#include "cli/connect/session.h"
#include "cli/verbs/act.h"
#include "cli/verbs/verbs.h"
#include "jobd/v1/job_schedule_service.pb.h"

namespace jobd::cli {

namespace {

struct Options : ActOptions {
  std::string signal;
};

int Kill(Session& session, const Options& options) {
  // As kill(1) has it; CLI11 takes a number behind a dash for an ID.
  if (const std::string& first = options.ids.front(); options.signal.empty() && first.starts_with('-') && first.size() > 1) {
    std::string ids;
    for (size_t i = 1; i < options.ids.size(); ++i) ids += " " + options.ids[i];
    return session.Fail(base::Error(base::Code::kInvalidArgument, "a signal stands behind -s: `jobctl kill -s " +
                                                                      base::EscapeForTerminal(first.substr(1)) +
                                                                      (ids.empty() ? " ID" : base::EscapeForTerminal(ids)) + "`"));
  }
  if (options.signal.empty()) {
    return session.Fail(base::Error(base::Code::kInvalidArgument, "say which signal: `jobctl kill -s TERM " + options.ids.front() +
                                                                      "`; `jobctl cancel` ends a job with all its processes"));
  }
  const int signal = base::SignalNumber(options.signal);
  if (signal == 0)
    return session.Fail(base::Error(base::Code::kInvalidArgument,
                                    "--signal: there is no signal '" + options.signal + "'; write TERM, SIGUSR1 or a number"));
  v1::SignalRequest request;
  request.set_signal(signal);
  return ForEach(session, options, [&request, signal](Client& client, const JobRef& ref) -> base::Result<ActionResult> {
    ToProto(ref, request.mutable_jobs());
    v1::SignalResponse response;
    JOBD_RETURN_IF_ERROR(client.Signal(request, &response));
    const std::string name = base::SignalName(signal);
    return ActionResult{response.signalled() == 0 ? "nothing runs that " + name + " could be sent to"
                                                  : name + " sent to " + Jobs(response.signalled()),
                        {{"signalled", response.signalled()}}};
  });
}

}  // namespace

void AddKill(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("kill", "Send a signal to running jobs");
  app->footer("To end a job with all its processes, use `jobctl cancel`.");
  auto options = std::make_shared<Options>();
  AddActOptions(*app, *options);
  app->add_option("-s,--signal", options->signal, "TERM, SIGUSR1, 9, …")->type_name("SIGNAL");
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Kill(session, *options); }; });
}

}  // namespace jobd::cli
