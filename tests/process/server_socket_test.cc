// The launcher's socket for a server that somebody else starts: who is refused, and what outlives whom.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "tests/process/harness/launcher_host.h"

namespace jobd::process_test {
namespace {

using launch::HelloAck;

// A process in the place of jobd-server. Killed and reaped when destroyed.
class OtherServer {
 public:
  // `body` runs in the process; what it returns is the exit code.
  explicit OtherServer(const std::function<int()>& body) : pid_(::fork()) {
    if (pid_ == 0) ::_exit(body());
  }
  ~OtherServer() { Kill(); }
  OtherServer(const OtherServer&) = delete;
  OtherServer& operator=(const OtherServer&) = delete;

  void Kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    Wait();
  }
  int Wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_;
};

class ServerSocketTest : public testing::Test {
 protected:
  static bool IsRefused(const base::Fd& connection) {
    // The launcher may have closed it before this is sent.
    (void)launch::SendFrame(connection.get(), launch::ServerFrame(launch::Hello{}));
    const auto answer = ReceiveFrom(connection.get());
    return !answer.ok() && answer.error().code() == base::Code::kUnavailable;
  }
  static uint32_t Greet(const base::Fd& connection) {
    EXPECT_TRUE(launch::SendFrame(connection.get(), launch::ServerFrame(launch::Hello{})).ok());
    const auto answer = ReceiveFrom(connection.get());
    if (!answer.ok() || !std::holds_alternative<HelloAck>(*answer)) {
      ADD_FAILURE() << "no HelloAck";
      return ~0u;
    }
    return std::get<HelloAck>(*answer).server_restarts;
  }

  TempDir logs_;
};

TEST_F(ServerSocketTest, RefusesAnotherUid) {
  // It is the test that has the wrong one, were it root.
  const LauncherHost host({.log_dir = logs_.path(), .listen_for = ::geteuid() + 1});
  EXPECT_TRUE(IsRefused(host.Connect()));
  EXPECT_TRUE(IsRefused(host.Connect())) << "and goes on refusing";
}

TEST_F(ServerSocketTest, RefusesASecondServerWhileTheFirstLives) {
  const LauncherHost host({.log_dir = logs_.path(), .listen_for = ::geteuid()});
  base::Fd first = host.Connect();
  EXPECT_EQ(Greet(first), 0u);
  EXPECT_TRUE(IsRefused(host.Connect()));
  EXPECT_EQ(Greet(first), 0u) << "the first hears nothing of it";
  first.reset();
  EXPECT_TRUE(IsRefused(host.Connect())) << "what counts is the process: it may still use what it was given";
}

TEST_F(ServerSocketTest, DropsAServerThatSendsGarbageAndLivesOn) {
  LauncherHost host({.log_dir = logs_.path(), .listen_for = ::geteuid()});
  for (const std::string& garbage : {std::string("GET / HTTP/1.1\r\n"), std::string(8, '\0'), std::string(100'000, 'x')}) {
    OtherServer server([&] {
      const base::Fd connection = host.Connect();
      if (::send(connection.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL) < 0) return 2;
      const auto answer = ReceiveFrom(connection.get());
      return !answer.ok() && answer.error().code() == base::Code::kUnavailable ? 0 : 1;
    });
    EXPECT_EQ(server.Wait(), 0);
  }
  EXPECT_EQ(Greet(host.Connect()), 3u);
  EXPECT_TRUE(ProcessLives(host.pid()));
}

TEST_F(ServerSocketTest, IsForTheServersAccountAlone) {
  const bool root = ::geteuid() == 0;
  const uid_t uid = root ? 65534 : ::geteuid();
  ASSERT_EQ(::chown(logs_.path().c_str(), uid, static_cast<gid_t>(-1)), 0);
  const LauncherHost host({.log_dir = logs_.path(),
                           .log_owner = {.switch_user = root, .uid = uid, .gid = root ? 65534 : ::getegid()},
                           .listen_for = uid});
  struct stat info {};
  ASSERT_EQ(::stat((logs_.path() + "/" + launch::kServerSocketName).c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, uid);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST_F(ServerSocketTest, AServerIsKilledAndTheNextOneGoesOnWithItsJobs) {
  LauncherHost host({.log_dir = logs_.path(), .listen_for = ::geteuid()});
  const Batch batch(logs_.path());
  const std::string gate = logs_.path() + "/gate";
  const auto request = batch.Request({"sh", "-c", "until test -e " + gate + "; do sleep 0.01; done; echo late; exit 7"});
  OtherServer server([&] {
    const base::Fd connection = host.Connect();
    (void)launch::SendFrame(connection.get(), launch::ServerFrame(launch::Launch{request}));
    ::pause();
    return 0;
  });
  const auto running = batch.AwaitSlot([](const auto& slot) { return slot.phase == launch::Phase::kRunning; });
  server.Kill();
  const base::Fd next = host.Connect();
  EXPECT_EQ(Greet(next), 1u);
  EXPECT_TRUE(ProcessLives(static_cast<pid_t>(running.job_pid)));
  ASSERT_TRUE(launch::SendFrame(next.get(), launch::ServerFrame(batch.WatchOf(request))).ok());
  ASSERT_TRUE(launch::SendFrame(next.get(), launch::ServerFrame(launch::Reconciled{})).ok());
  base::Fd(::open(gate.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644)).reset();
  const auto ended = ReceiveFrom(next.get());
  ASSERT_TRUE(ended.ok()) << ended.error().message();
  EXPECT_EQ(std::get<launch::ShimExited>(*ended).key, request.key);
  EXPECT_EQ(batch.Slot().exit, base::ExitStatus::Exited(7));
  EXPECT_EQ(batch.File("1.out"), "late\n");
}

TEST_F(ServerSocketTest, TheNextLauncherTakesThePlaceOfOneThatWasKilled) {
  {
    LauncherHost killed({.log_dir = logs_.path(), .listen_for = ::geteuid()});
    const base::Fd connection = killed.Connect();
    EXPECT_EQ(Greet(connection), 0u);
    killed.Kill();
    const auto answer = ReceiveFrom(connection.get());
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code(), base::Code::kUnavailable);
  }
  // The name of the dead one is still there, which only a listener can tell from a living one's.
  const base::Fd notify(::inotify_init1(IN_CLOEXEC));
  ASSERT_GE(::inotify_add_watch(notify.get(), logs_.path().c_str(), IN_MOVED_TO), 0);
  const LauncherHost host({.log_dir = logs_.path(), .listen_for = ::geteuid()});
  alignas(inotify_event) char event[4096];
  ASSERT_GT(::read(notify.get(), event, sizeof event), 0) << "it comes by a rename";
  EXPECT_EQ(Greet(host.Connect()), 0u);
}

}  // namespace
}  // namespace jobd::process_test
