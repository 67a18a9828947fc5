// Random workloads under random kills, for as long as one likes; then every job, byte and process is accounted for.
//
//   soak MINUTES [SEED]
//
// Prints a report in Markdown; fails when anything is unaccounted for.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/e2e/harness/daemon.h"
#include "tests/soak/ledger.h"

namespace jobd::soak {
namespace {

using e2e::Daemon;
using e2e::Process;
using Clock = std::chrono::steady_clock;

constexpr size_t kClients = 6;  // submissions under way at a time

class Soak {
 public:
  explicit Soak(uint64_t seed) : random_(seed), started_(daemon_.ShareDir() + "/started") {
    e2e::WriteFile(started_, "");
    ::chmod(started_.c_str(), 0666);
  }

  bool Run(std::chrono::minutes duration) {
    if (!daemon_.Start()) return false;
    const auto end = Clock::now() + duration;
    while (Clock::now() < end) {
      while (clients_.size() < kClients) Submit();
      switch (Below(40)) {
        case 0: Kill("launcher", [this] { daemon_.Reap(), MustStart(); }); break;
        case 1: Kill("stop and start", [this] { daemon_.Stop(), MustStart(); }); break;
        case 2: Kill("all", [this] { KillShim(), KillShim(), daemon_.Reap(), MustStart(); }); break;
        case 3:
        case 4:
        case 5: Kill("server", [this] { daemon_.KillServer(); }); break;
        case 6: Kill("shim", [this] { KillShim(); }); break;
        case 7: CancelOne(); break;
        default: Collect(); break;
      }
    }
    while (!clients_.empty()) Collect();
    return true;
  }

  Account Settle() {
    Account account;
    for (const BatchPlan& plan : accepted_) (void)daemon_.Do({"wait", plan.id}, "operator", "", e2e::Seconds(300));
    const auto starts = CountStarts(started_);
    for (const auto& [start, count] : starts) {
      if (count != 1) account.faults.push_back(start + " was started " + std::to_string(count) + " times");
    }
    for (const BatchPlan& plan : accepted_) {
      ++account.batches;
      const auto status = nlohmann::json::parse(daemon_.Do({"status", "--json", plan.id}).out, nullptr, false);
      if (!status.is_object()) {
        account.faults.push_back(plan.id + " was accepted and is not there");
        continue;
      }
      Check(plan, status.at("jobs"), starts, account);
    }
    if (!e2e::ChildrenNamed(daemon_.LauncherPid(), "jobd-shim").empty()) account.faults.push_back("shims are left");
    if (account.lost > shims_killed_) account.faults.push_back("more jobs are LOST than shims were killed");
    return account;
  }

  const std::map<std::string, uint64_t>& kills() const { return kills_; }
  uint64_t shims_killed() const { return shims_killed_; }
  const Daemon& daemon() const { return daemon_; }

 private:
  struct Client {
    Process process;
    BatchPlan plan;
  };

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  void MustStart() {
    if (daemon_.Start()) return;
    std::fprintf(stderr, "jobd does not start again\n%s", daemon_.log().c_str());
    std::abort();
  }

  template <typename Act>
  void Kill(const std::string& what, Act act) {
    ++kills_[what];
    act();
  }

  void KillShim() {
    const auto shims = e2e::ChildrenNamed(daemon_.LauncherPid(), "jobd-shim");
    if (shims.empty()) return;
    ++shims_killed_;
    ::kill(shims[Below(shims.size())], SIGKILL);
  }

  BatchPlan Plan() {
    BatchPlan plan{.id = "soak-" + std::to_string(next_++)};
    const uint64_t jobs = Below(4) == 0 ? 1 + Below(60) : 1 + Below(4);
    plan.may_be_cancelled = Below(8) == 0;
    for (uint64_t i = 0; i < jobs; ++i) {
      const int code = static_cast<int>(Below(3));
      const int lines = Below(10) == 0 ? 20'000 : static_cast<int>(Below(50));
      std::string script = "echo $JOBD_JOB_ID/$JOBD_ATTEMPT >>" + started_ + "; seq 1 " + std::to_string(lines);
      Expectation expected{.state = code == 0 ? "SUCCEEDED" : "FAILED", .exit_code = code, .lines = lines};
      std::string options;
      switch (Below(12)) {
        case 0:  // leaves children behind, which must not stay
          script += "; (setsid sleep 1000 & sleep 1000 &) >/dev/null 2>&1; exit " + std::to_string(code);
          break;
        case 1:  // runs past its time
          script += "; exec sleep 1000";
          options = ", \"timeout\": \"2s\", \"kill_after\": \"100ms\"";
          expected = {.state = "TIMED_OUT", .exit_code = -1, .lines = lines};
          break;
        case 2: script += "; sleep 0." + std::to_string(Below(9)) + "; exit " + std::to_string(code); break;
        default: script += "; exit " + std::to_string(code);
      }
      const char* const profiles[] = {"open", "standard", "strict"};
      plan.input += "{\"shell\": \"" + script + "\", \"profile\": \"" + profiles[Below(2)] + "\"" + options + "}\n";
      plan.jobs.push_back(std::move(expected));
    }
    return plan;
  }

  void Submit() {
    BatchPlan plan = Plan();
    Process process(daemon_.Ctl({"submit", "--id", plan.id, "-f", "-"}, "operator", plan.input));
    clients_.push_back({std::move(process), std::move(plan)});
  }

  // The oldest client ends: accepted, or told that it was not; then it is asked again, as a client may.
  void Collect() {
    Client client = std::move(clients_.front());
    clients_.pop_front();
    if (client.process.Finish().code() != 0) {
      ++repeated_;
      if (daemon_.Do({"submit", "--id", client.plan.id, "-f", "-"}, "operator", client.plan.input).code() != 0) return;
    }
    accepted_.push_back(std::move(client.plan));
  }

  void CancelOne() {
    for (auto plan = accepted_.rbegin(); plan != accepted_.rend(); ++plan) {
      if (!plan->may_be_cancelled) continue;
      (void)daemon_.Do({"cancel", "-t", "100ms", plan->id});
      return;
    }
  }

  void Check(const BatchPlan& plan, const nlohmann::json& jobs, const std::map<std::string, int>& starts, Account& account) {
    if (jobs.size() != plan.jobs.size()) account.faults.push_back(plan.id + " has another number of jobs");
    for (const auto& job : jobs) {
      ++account.jobs;
      const size_t index = job.at("index");
      const std::string name = plan.id + "/" + std::to_string(index);
      const Expectation& expected = plan.jobs.at(index - 1);
      const std::string state = job.at("state");
      if (state == "LOST") {
        ++account.lost;
        if (job.at("reason").at("text").get<std::string>().empty()) account.faults.push_back(name + " is LOST without a reason");
        continue;
      }
      if (state == "CANCELLED" && plan.may_be_cancelled) {
        ++account.cancelled;
        continue;
      }
      const int code = job.at("exit_code").is_null() ? -1 : job.at("exit_code").get<int>();
      if (state != expected.state || (expected.exit_code >= 0 && code != expected.exit_code)) {
        account.faults.push_back(name + " is " + state + " with " + std::to_string(code) + ", not " + expected.state);
      }
      const auto attempt = name + "/" + std::to_string(job.at("attempt").get<int>());
      if (!starts.contains(attempt)) account.faults.push_back(name + " has an outcome and was never started");
      CheckOutput(name, expected.lines, account);
    }
  }

  void CheckOutput(const std::string& name, int lines, Account& account) {
    const std::string path = daemon_.LogDir() + "/operator/" + name + ".out";
    std::string expected;
    for (int i = 1; i <= lines; ++i) expected += std::to_string(i) + "\n";
    account.lines += static_cast<uint64_t>(lines);
    if (e2e::ReadFileOrEmpty(path) != expected) account.faults.push_back(name + " has other output than it wrote");
  }

  Daemon daemon_{{"[limits]\nmax_running = 4\nmax_queued = 1000000\nmax_queued_per_user = 1000000\n", {}, ""}};
  std::mt19937_64 random_;
  const std::string started_;
  std::deque<Client> clients_;
  std::deque<BatchPlan> accepted_;
  std::map<std::string, uint64_t> kills_;
  uint64_t next_ = 0;
  uint64_t repeated_ = 0;
  uint64_t shims_killed_ = 0;
};

int Main(int minutes, uint64_t seed) {
  const auto begin = Clock::now();
  Soak soak(seed);
  if (!soak.Run(std::chrono::minutes(minutes))) {
    std::fprintf(stderr, "jobd does not start\n%s", soak.daemon().log().c_str());
    return 1;
  }
  const Account account = soak.Settle();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin).count();
  std::printf("| | |\n|---|---|\n| duration | %lld s, seed %llu |\n", static_cast<long long>(seconds),
              static_cast<unsigned long long>(seed));
  for (const auto& [what, count] : soak.kills()) {
    std::printf("| killed: %s | %llu times |\n", what.c_str(), static_cast<unsigned long long>(count));
  }
  std::printf("| shims killed | %llu |\n| batches accepted | %llu |\n| jobs accounted for | %llu |\n",
              static_cast<unsigned long long>(soak.shims_killed()), static_cast<unsigned long long>(account.batches),
              static_cast<unsigned long long>(account.jobs));
  std::printf("| of them LOST, each with its reason | %llu |\n| cancelled | %llu |\n| lines of output compared | %llu |\n",
              static_cast<unsigned long long>(account.lost), static_cast<unsigned long long>(account.cancelled),
              static_cast<unsigned long long>(account.lines));
  std::printf("| faults | %zu |\n", account.faults.size());
  for (const std::string& fault : account.faults) std::printf("\n- %s", fault.c_str());
  std::printf("\n");
  return account.faults.empty() && !testing::Test::HasFailure() ? 0 : 1;
}

}  // namespace
}  // namespace jobd::soak

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);  // the harness reports by its means
  if (argc < 2) {
    std::fprintf(stderr, "usage: soak MINUTES [SEED]\n");
    return 2;
  }
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::random_device()();
  return jobd::soak::Main(std::atoi(argv[1]), seed);
}
