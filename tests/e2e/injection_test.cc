// Whoever makes a system call for the nth time is killed in it: server, launcher, shim or job. Afterwards every job is accounted
// for. strace kills, and its log proves that it did.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <tuple>

#include "tests/e2e/harness/daemon.h"
#include "tests/support/require.h"

namespace jobd::e2e {
namespace {

constexpr int kJobs = 4;
constexpr const char* kId = "injected";
constexpr const char* kStrace = "/usr/bin/strace";

struct Injection {
  const char* name;
  const char* calls;  // as strace names them
  // How many of them somebody makes for certain from the start, or once the daemon is ready. A count beyond kills nobody.
  int most_from_start = 3;
  int most_when_ready = 3;
};

// By hand: every count up to JOBD_INJECT_UP_TO.
std::vector<int> Counts() {
  const char* most = std::getenv("JOBD_INJECT_UP_TO");
  if (most == nullptr) return {1, 3};
  std::vector<int> all;
  for (int n = 1; n <= std::atoi(most); ++n) all.push_back(n);
  return all;
}

enum class From { kStart, kReady };

// What strace wrote: who made one of the calls how often, and who was killed. strace counts each call of each thread by itself, and
// so do we.
struct Evidence {
  explicit Evidence(const std::string& log) {
    std::istringstream lines(log);
    std::string pid;
    std::string text;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      words >> pid >> text;
      if (line.ends_with("+++ killed by SIGKILL +++")) killed.insert(pid);
      // `call(arguments…`, not `<... call resumed>`.
      const size_t name = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_");
      if (name == std::string::npos || name == 0 || text[name] != '(') continue;
      const std::string call = text.substr(0, name);
      if (const int n = ++calls[{pid, call}]; n > most) {
        most = n;
        victim = pid;
      }
    }
  }
  bool Fired(int nth) const { return most >= nth && killed.contains(victim); }

  std::map<std::pair<std::string, std::string>, int> calls;
  std::set<std::string> killed;
  int most = 0;
  std::string victim;  // who made `most` calls first
};

class InjectionTest : public testing::TestWithParam<std::tuple<From, Injection, int>> {
 protected:
  std::vector<std::string> Strace(const Injection& injection, int nth) const {
    const std::string calls = injection.calls;
    return {
        kStrace, "-f", "-o", log_, "-e", "trace=" + calls, "-e", "inject=" + calls + ":signal=KILL:when=" + std::to_string(nth)};
  }
  std::vector<std::string> Wrapper(const Injection& injection, int nth) const {
    auto command = Strace(injection, nth);
    command.insert(command.begin() + 1, {"-D", "-qqq"});  // -D: jobd stays the process that the test started
    return command;
  }
  // strace on the launcher and the server that run, on the shims that wait for jobs, and on whatever they start.
  Process Attach(const Daemon& daemon, const Injection& injection, int nth) const {
    Command command{Strace(injection, nth), {}, {}, "/"};
    std::vector<pid_t> pids = ChildrenNamed(daemon.LauncherPid(), "jobd-shim");
    pids.insert(pids.end(), {daemon.ServerPid(), daemon.LauncherPid()});
    for (const pid_t pid : pids) command.argv.insert(command.argv.end(), {"-p", std::to_string(pid)});
    Process strace(command);
    EXPECT_TRUE(strace.WaitForError("Process " + std::to_string(daemon.LauncherPid()) + " attached")) << strace.err();
    return strace;
  }
  // Each job says once that it was started, and whether it got to its end.
  static std::string Batch(const std::string& started) {
    std::string lines;
    for (int i = 0; i < kJobs; ++i) lines += "echo $JOBD_INDEX >>" + started + "; echo out; exit $((JOBD_INDEX % 2))\n";
    return lines;
  }

  const test::TempDir temp_;
  const std::string log_ = temp_.path() + "/strace.log";
};

std::string NameOf(const testing::TestParamInfo<InjectionTest::ParamType>& kind) {
  return std::string(std::get<0>(kind.param) == From::kStart ? "start_" : "ready_") + std::get<1>(kind.param).name + "_" +
         std::to_string(std::get<2>(kind.param));
}

const Injection kCalls[] = {{"fdatasync", "fdatasync"},
                            {"pwrite64", "pwrite64"},
                            {"sendmsg", "/^send"},
                            {"recv", "/^recv"},
                            {"clone3", "/^clone", 3, 1},
                            {"wait", "wait4,waitid"},
                            {"mkdir", "/^mkdir", 3, 1},
                            {"openat", "openat,openat2"},
                            {"fallocate", "ftruncate,fallocate", 1, 1},
                            {"unlink", "/^unlink,rmdir", 3, 1}};
// Nobody makes these once the daemon is ready.
const Injection kCallsOfStart[] = {{"fsync", "fsync", 3, 0}, {"rename", "/^rename", 1, 0}};

// By hand all counts are tried, and those that nobody reaches fail.
std::vector<InjectionTest::ParamType> Cases(std::initializer_list<From> times, std::span<const Injection> injections) {
  const bool by_hand = std::getenv("JOBD_INJECT_UP_TO") != nullptr;
  std::vector<InjectionTest::ParamType> cases;
  for (const From from : times) {
    for (const Injection& injection : injections) {
      const int most = from == From::kStart ? injection.most_from_start : injection.most_when_ready;
      for (const int nth : Counts()) {
        if (by_hand || nth <= most) cases.emplace_back(from, injection, nth);
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Calls, InjectionTest, testing::ValuesIn(Cases({From::kStart, From::kReady}, kCalls)), NameOf);
INSTANTIATE_TEST_SUITE_P(CallsOfStart, InjectionTest, testing::ValuesIn(Cases({From::kStart}, kCallsOfStart)), NameOf);

TEST_P(InjectionTest, EveryJobIsAccountedForAndNothingIsLeft) {
  const auto& [from, injection, nth] = GetParam();
  JOBD_REQUIRE(::access(kStrace, X_OK) == 0, "needs strace");
  Daemon daemon(
      {"[limits]\nmax_running = 2\n", {}, "", from == From::kStart ? Wrapper(injection, nth) : std::vector<std::string>()});
  const std::string started = daemon.ShareDir() + "/started";
  WriteFile(started, "");
  ::chmod(started.c_str(), 0666);
  const std::string batch = Batch(started);

  bool accepted = false;
  if (daemon.Start(Seconds(5))) {
    std::optional<Process> strace;
    if (from == From::kReady) strace.emplace(Attach(daemon, injection, nth));
    accepted = daemon.Do({"submit", "--connect-timeout", "2s", "--id", kId, "-f", "-"}, "operator", batch).code() == 0;
    // Until nothing more comes of it: the batch has ended, jobd is dead, or there is another server.
    const pid_t server = daemon.ServerPid();
    (void)WaitUntil(
        [&] {
          if (!ProcessLives(daemon.LauncherPid()) || daemon.ServerPid() != server) return true;
          const Output status = daemon.Do({"status", "--json", "--connect-timeout", "200ms", kId});
          const auto json = nlohmann::json::parse(status.out, nullptr, false);
          return json.is_object() && !json.at("ended_at").is_null();
        },
        Seconds(5));
    daemon.Reap();
  }
  // Without this a count that nobody reaches would pass, having tested nothing.
  const auto fired = [&, nth = nth] { return Evidence(ReadFileOrEmpty(log_)).Fired(nth); };
  const int most = Evidence(ReadFileOrEmpty(log_)).most;
  ASSERT_GE(most, nth) << "nobody makes as many of these calls";
  EXPECT_TRUE(WaitUntil(fired)) << "nobody was killed\n" << ReadFileOrEmpty(log_);

  ASSERT_TRUE(daemon.Start()) << daemon.log();
  if (accepted) {
    EXPECT_EQ(daemon.Do({"status", kId}).code(), 0) << "an ID given is a batch kept";
  }
  daemon.Ok({"submit", "--id", kId, "-f", "-"}, "operator", batch);
  daemon.Do({"wait", kId});
  std::map<int, int> starts;
  std::istringstream in(ReadFileOrEmpty(started));
  for (int index = 0; in >> index;) ++starts[index];
  const auto status = nlohmann::json::parse(daemon.Ok({"status", "--json", kId}));
  ASSERT_EQ(status.at("jobs").size(), size_t{kJobs});
  for (const auto& job : status.at("jobs")) {
    const int index = job.at("index");
    const std::string state = job.at("state");
    EXPECT_LE(starts[index], 1) << "at most once: " << job;
    if (!job.at("exit_code").is_null() && state != "LOST") {
      EXPECT_EQ(job.at("exit_code"), index % 2) << job;
      EXPECT_EQ(starts[index], 1) << job;
      EXPECT_EQ(daemon.Do({"logs", std::string(kId) + "/" + std::to_string(index)}).out, "out\n");
    } else {
      // The job or its shim was the victim, and that is what is said.
      const bool killed = state == "FAILED" && (job.at("signal") == 9 || !job.at("reason").at("step").is_null());
      EXPECT_TRUE(state == "LOST" || killed) << job;
      EXPECT_FALSE(job.at("reason").at("text").get<std::string>().empty()) << job;
    }
  }
  EXPECT_TRUE(WaitUntil([&] { return ChildrenNamed(daemon.LauncherPid(), "jobd-shim").empty(); }));
  daemon.Ok({"rm", kId});
  EXPECT_FALSE(std::filesystem::exists(daemon.LogDir() + "/operator/" + kId));
}

}  // namespace
}  // namespace jobd::e2e
