// Says on a terminal what a job waits for that does not start at once.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "cli/connect/job_ref.h"

namespace jobd::cli {

class Client;
class Session;

// For whoever watches a job or batch: after a second without a word of it, and again when the main reason is another one. Says
// nothing where standard error is no terminal, or with --quiet. Asks the service from a thread of its own, ever more seldom.
class WaitNotice {
 public:
  // The reason, escaped; empty: something runs, or nobody can say why not.
  using Show = std::function<void(const std::string&)>;

  // `session` and `client` are borrowed.
  WaitNotice(Session& session, Client& client, JobRef ref);
  // For whoever shows how far it is: `show` is told what it waits for, over and over until Stop, on a thread of its own. Asks no
  // oftener than is worth a look at the terminal.
  WaitNotice(Session& session, Client& client, JobRef ref, Show show);
  ~WaitNotice() { Stop(); }
  WaitNotice(const WaitNotice&) = delete;
  WaitNotice& operator=(const WaitNotice&) = delete;

  // There is something of it: nothing more is said. Waits for a question that is under way, a second at most.
  void Stop();

 private:
  void Run();
  // False: it does not wait any more, or nobody can say why.
  bool Look();
  bool Tell();

  Session& session_;
  Client& client_;
  const JobRef ref_;
  const Show show_;   // empty: Say it once
  std::string said_;  // the reason's name
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace jobd::cli
