// jobctl wait: until batches or jobs have ended.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "base/units.h"
#include "cli/connect/session.h"
#include "cli/connect/wait_notice.h"
#include "cli/verbs/await.h"
#include "cli/verbs/lasting.h"
#include "cli/verbs/verbs.h"
#include "cli/view/exit_code.h"
#include "cli/view/progress.h"

namespace jobd::cli {

namespace {

struct Options {
  std::vector<std::string> ids;
  std::string owner;
  std::string timeout;
  bool any = false;
  bool all = false;  // the default, which may be said
};

// Prints the ends, with JSON, and returns the largest exit code.
int Conclude(Session& session, const std::vector<Ended>& ends, bool several) {
  int largest = kExitOk;
  Json list = Json::array();
  for (const Ended& ended : ends) {
    largest = std::max(largest, ended.exit_code);
    if (session.json()) list.push_back(ToJson(ended));
  }
  if (session.json() && several) session.PrintJsonList(list);
  if (session.json() && !several) session.PrintJson(list[0]);
  return largest;
}

int Wait(Session& session, const Options& options) {
  session.ExitAsJobs();
  AwaitOptions await;
  if (!options.timeout.empty()) {
    const auto parsed = base::ParseDuration(options.timeout);
    if (!parsed.ok()) return session.Fail(base::Error(parsed.error()).WithContext("--timeout"));
    await.timeout = std::max<base::Nanos>(*parsed, 1);
  }
  if (options.any && options.ids.size() > kMaxAwaitAny) {
    return session.Fail(base::Error(base::Code::kInvalidArgument, "--any takes at most " + std::to_string(kMaxAwaitAny) +
                                                                      " IDs, not " + std::to_string(options.ids.size()) +
                                                                      "; to wait for the jobs of one batch, give its ID"));
  }
  const auto lasting = Lasting::Begin(session, Lasting::Reader::kNotNeeded);
  if (!lasting.ok()) return session.Fail(lasting.error());
  Client& client = (*lasting)->client();
  std::vector<JobRef> refs;
  for (const std::string& id : options.ids) {
    auto ref = FindJob(client, id, options.owner);
    if (!ref.ok()) return session.Fail(ref.error());
    refs.push_back(std::move(ref).value());
  }
  (*lasting)->StreamsBegin();
  ProgressLine line(session.err(), refs.size() == 1 && session.ShowsProgress());
  await.say = [&](const std::string& text) {
    line.Clear();
    session.Say(text);
  };
  if (refs.size() == 1) {
    await.on_update = [&line](const v1::Batch& batch) { line.Update(CountJobs(batch)); };
  }
  std::optional<WaitNotice> notice;
  if (refs.size() == 1) notice.emplace(session, client, refs[0], [&line](const std::string& why) { line.SetWaits(why); });
  const auto ended = AwaitEnds(client, refs, options.any ? AwaitWhich::kAny : AwaitWhich::kAll, await, (*lasting)->canceller());
  notice.reset();
  line.Clear();
  if (ended.ok()) return Conclude(session, *ended, refs.size() > 1);
  if (ended.error().code() == base::Code::kDeadlineExceeded) {
    session.Fail(base::Error(base::Code::kDeadlineExceeded, "timed out; the jobs go on"));
    return kExitTimedOut;
  }
  if (ended.error().code() != base::Code::kCancelled) return session.Fail(ended.error());
  session.Say("left; the jobs go on");
  return kExitInterrupted;
}

}  // namespace

void AddWait(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("wait", "Wait until batches or jobs have ended");
  app->footer(
      "Exit code: the largest of the jobs' own, as `run` would show them; with --any, that of what ended first; 124 when "
      "--timeout\n"
      "passed first. 0 only if every job exited 0. Ctrl-C leaves; the jobs go on.\n"
      "-o json: each batch as `status` shows it, with the \"exit_code\", or each job {\"correlation_id\", \"index\", \"state\",\n"
      "\"exit_code\", \"signal\", \"reason\"}; a list for several IDs.");
  auto options = std::make_shared<Options>();
  app->add_option("ID", options->ids, kAddressHelp)->required();
  auto* any = app->add_flag("--any", options->any, "Until one of them has ended; its exit code counts");
  app->add_flag("--all", options->all, "Until all of them have ended (the default)")->excludes(any);
  app->add_option("--timeout", options->timeout, "Give up after this long; the jobs go on")->type_name("TIME");
  app->add_option("--owner", options->owner, "Whose batches; default: your own")->type_name("NAME");
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Wait(session, *options); }; });
}

}  // namespace jobd::cli
