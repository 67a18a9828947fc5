// jobctl wait: until the end.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <mutex>
#include <thread>

#include "base/units.h"
#include "cli/connect/session.h"
#include "cli/verbs/await.h"
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

// The answers of one watch per ID, as they come in.
class Race {
 public:
  Race(Session& session, Client& client, std::vector<JobRef> refs, bool any, base::Nanos timeout)
      : session_(session), client_(client), refs_(std::move(refs)), any_(any), timeout_(timeout) {}

  int Run() {
    // More threads than a connection carries streams would only wait for each other.
    constexpr size_t kMaxThreads = 64;
    std::vector<std::thread> threads;
    const size_t wanted = any_ ? refs_.size() : std::min(refs_.size(), kMaxThreads);
    for (size_t i = 0; i < wanted; ++i) threads.emplace_back([this] { Work(); });
    for (std::thread& thread : threads) thread.join();
    if (error_) return error_->code() == base::Code::kDeadlineExceeded ? TimedOut() : session_.Fail(*error_);
    return largest_;
  }

 private:
  int TimedOut() {
    session_.Say("timed out; the jobs go on");
    return kExitTimedOut;
  }

  void Work() {
    while (true) {
      std::unique_lock lock(mutex_);
      if (next_ == refs_.size()) return;
      const JobRef ref = refs_[next_++];
      lock.unlock();
      AwaitOptions options;
      options.timeout = timeout_;
      ProgressLine line(session_.err(), refs_.size() == 1 && !session_.options().quiet);
      options.say = [this, &line](const std::string& text) {
        line.Clear();
        session_.Say(text);
      };
      options.on_update = [&line](const v1::Batch& batch) { line.Update(CountJobs(batch), base::SystemClock().Monotonic()); };
      const auto code = AwaitEnd(client_, ref, options, &canceller_);
      lock.lock();
      if (decided_) return;
      if (code.ok()) {
        largest_ = std::max(largest_, *code);
      } else {
        error_ = code.error();
      }
      // The first error, or with --any the first end, is the answer; nobody waits for the rest.
      decided_ = any_ || error_.has_value();
      if (decided_) next_ = refs_.size();
      const bool decided = decided_;
      lock.unlock();
      if (decided) canceller_.Cancel();
    }
  }

  Session& session_;
  Client& client_;
  const std::vector<JobRef> refs_;
  const bool any_;
  const base::Nanos timeout_;
  std::mutex mutex_;
  Canceller canceller_;
  size_t next_ = 0;
  bool decided_ = false;
  int largest_ = kExitOk;
  std::optional<base::Error> error_;
};

int Wait(Session& session, const Options& options) {
  base::Nanos timeout = 0;
  if (!options.timeout.empty()) {
    const auto parsed = base::ParseDuration(options.timeout);
    if (!parsed.ok()) return session.Fail(parsed.error());
    timeout = std::max<base::Nanos>(*parsed, 1);
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  std::vector<JobRef> refs;
  for (const std::string& id : options.ids) {
    auto ref = FindJob(**client, id, options.owner);
    if (!ref.ok()) return session.Fail(ref.error());
    refs.push_back(std::move(ref).value());
  }
  return Race(session, **client, std::move(refs), options.any, timeout).Run();
}

}  // namespace

void AddWait(CLI::App& root, Invocation& invocation) {
  CLI::App* app = root.add_subcommand("wait", "Wait until batches or jobs have ended");
  app->footer(
      "Exit code: the largest of the jobs' own, as `run` would show them; 124 when --timeout passed first. 0 only if every job\n"
      "exited 0.");
  auto options = std::make_shared<Options>();
  app->add_option("ID", options->ids, "Batches, or jobs as ID/INDEX; `last` is the newest batch")->required();
  auto* any = app->add_flag("--any", options->any, "Until one of them has ended; its exit code counts");
  app->add_flag("--all", options->all, "Until all of them have ended (the default)")->excludes(any);
  app->add_option("--timeout", options->timeout, "Give up after this long; the jobs go on")->type_name("TIME");
  app->add_option("--owner", options->owner, "Whose batches; default: your own")->type_name("NAME");
  app->callback([options, &invocation] { invocation.action = [options](Session& session) { return Wait(session, *options); }; });
}

}  // namespace jobd::cli
