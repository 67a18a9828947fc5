// What an operator's tools see of the service: metrics, the service manager's watchdog, the log.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/files.h"
#include "base/listener.h"
#include "tests/e2e/harness/daemon.h"

namespace jobd::e2e {
namespace {

std::string Get(const base::Fd& connection) {
  (void)base::WriteAll(connection.get(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  auto answer = base::ReadAll(connection.get(), 1 << 20);
  return answer.ok() ? *answer : answer.error().message();
}

base::Fd ConnectUnix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  base::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) socket.reset();
  return socket;
}

TEST(MetricsTest, AreRefusedToTheNetwork) {
  Daemon daemon({.config = "[metrics]\nlisten = \"0.0.0.0:9464\"\n"});
  const Output checked = RunCommand({{Binary("jobd"), "--check-config", daemon.ConfigFile()}, {}, {}, {}});
  EXPECT_NE(checked.code(), 0);
  EXPECT_NE(checked.out.find("this machine alone"), std::string::npos) << checked.out;
}

TEST(MetricsTest, AreServedOnAUnixSocketAlsoAfterTheServerIsReplaced) {
  Daemon daemon;
  const std::string socket = daemon.folder() + "/run/m.sock";
  WriteFile(daemon.ConfigFile(), ReadFileOrEmpty(daemon.ConfigFile()) + "[metrics]\nlisten = \"unix:" + socket + "\"\n");
  ASSERT_TRUE(daemon.Start()) << daemon.log();
  EXPECT_EQ(daemon.Do({"run", "--", "sh", "-c", "printf 12345; exit 3"}).code(), 3);
  const std::string text = Get(ConnectUnix(socket));
  for (const char* line :
       {"\njobd_jobs_submitted_total 1\n", "\njobd_jobs_started_total 1\n", "\njobd_output_recorded_bytes_total 5\n",
        "\njobd_jobs_ended_total{state=\"failed\"} 1\n", "\njobd_service_state{state=\"running\"} 1\n",
        "\njobd_job_duration_seconds_count 1\n", "\njobd_server_restarts_total 0\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  EXPECT_EQ(daemon.Do({"admin", "stop"}, "operator").code(), 4) << "an operator may not";
  EXPECT_NE(Get(ConnectUnix(socket)).find("jobd_calls_refused_total{reason=\"permission_denied\"} 1\n"), std::string::npos);
  daemon.KillServer();
  EXPECT_NE(Get(ConnectUnix(socket)).find("\njobd_server_restarts_total 1\n"), std::string::npos);
}

// The socket of a service manager.
class Manager {
 public:
  Manager() {
    path_ = (std::filesystem::temp_directory_path() / ("jobd-notify-" + std::to_string(::getpid()))).string();
    ::unlink(path_.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Manager() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }
  // The next message; empty when none comes within `ms`.
  std::string Next(int ms) {
    pollfd wait{socket_.get(), POLLIN, 0};
    if (::poll(&wait, 1, ms) != 1) return "";
    std::string message(4096, 0);
    const ssize_t size = ::recv(socket_.get(), message.data(), message.size(), 0);
    message.resize(size > 0 ? static_cast<size_t>(size) : 0);
    return message;
  }
  bool NextIs(const std::string& wanted) {
    for (;;) {
      const std::string message = Next(20'000);
      if (message.empty() || message.find(wanted) != std::string::npos) return !message.empty();
    }
  }

 private:
  std::string path_;
  base::Fd socket_;
};

TEST(WatchdogTest, IsFedOnlyWhileTheServerAnswers) {
  Manager manager;
  Daemon daemon({.env = {{"NOTIFY_SOCKET", manager.path()}, {"WATCHDOG_USEC", "150000"}}});
  ASSERT_TRUE(daemon.Start()) << daemon.log();
  EXPECT_TRUE(manager.NextIs("READY=1"));
  EXPECT_TRUE(manager.NextIs("WATCHDOG=1"));
  EXPECT_TRUE(manager.NextIs("WATCHDOG=1"));
  const pid_t server = daemon.ServerPid();
  ASSERT_EQ(::kill(server, SIGSTOP), 0);
  // One may have been on its way.
  int after = 0;
  while (after < 10 && !manager.Next(1000).empty()) ++after;
  EXPECT_LE(after, 2) << "a launcher that lives is not a service that works";
  ASSERT_EQ(::kill(server, SIGCONT), 0);
  EXPECT_TRUE(manager.NextIs("WATCHDOG=1"));
  daemon.KillServer();
  EXPECT_TRUE(manager.NextIs("WATCHDOG=1")) << "the next server answers too";
}

TEST(LogTest, EveryLineAboutAJobNamesItInJson) {
  Daemon daemon({.config = "[log]\nformat = \"json\"\nlevel = \"debug\"\n"});
  ASSERT_TRUE(daemon.Start()) << daemon.log();
  const std::string id = daemon.Ok({"run", "-d", "--", "sleep", "1000"});
  daemon.Ok({"cancel", id});
  EXPECT_NE(daemon.Do({"wait", id}).code(), 0);
  daemon.Ok({"logs", id});
  daemon.Ok({"rm", id});
  std::set<std::string> about;
  std::istringstream lines(daemon.log());
  for (std::string line; std::getline(lines, line);) {
    const auto parsed = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(parsed.is_object()) << line;
    if (parsed.contains("correlation_id")) {
      EXPECT_EQ(parsed.at("correlation_id"), id) << line;
      EXPECT_EQ(parsed.at("owner"), "operator") << line;
      about.insert(parsed.at("message").get<std::string>());
    } else {
      EXPECT_EQ(line.find(id), std::string::npos) << "named in words alone: " << line;
    }
  }
  for (const char* what : {"accepted", "cancel", "ended", "remove"})
    EXPECT_TRUE(about.contains(what)) << what << "\n" << daemon.log();
}

}  // namespace
}  // namespace jobd::e2e
