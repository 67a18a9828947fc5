// What the connection to jobd takes for a welcome.
#include "worker/launcher/local/jobd_connection.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

namespace jobd::worker {
namespace {

class JobdConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    jobd_.reset(ends[0]);
    connection_ = std::make_unique<JobdConnection>(base::Fd(ends[1]), [](const base::Error&) {});
  }
  // The answer is there before the question.
  base::Result<JobdConnection::Welcome> HelloAnsweredBy(const launch::HelloAck& ack, size_t fd_count) {
    const base::Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const std::vector<int> fds(fd_count, file.get());
    EXPECT_TRUE(launch::SendFrame(jobd_.get(), launch::LauncherFrame(ack), fds).ok());
    return connection_->Hello();
  }

  base::Fd jobd_;
  std::unique_ptr<JobdConnection> connection_;
};

TEST_F(JobdConnectionTest, RefusesDescriptorsThatAreMissingOrNotNamed) {
  const std::vector<std::string> all{"state", "log", "runtime", "listen"};
  for (size_t left_out = 0; left_out < all.size(); ++left_out) {
    auto names = all;
    names.erase(names.begin() + static_cast<std::ptrdiff_t>(left_out));
    const auto welcome = HelloAnsweredBy({.descriptors = names}, names.size());
    ASSERT_FALSE(welcome.ok()) << all[left_out];
    EXPECT_EQ(welcome.error().code(), base::Code::kInternal);
  }
  for (const size_t count : {0u, 3u, 5u}) {
    const auto welcome = HelloAnsweredBy({.descriptors = all}, count);
    ASSERT_FALSE(welcome.ok()) << count;
    EXPECT_EQ(welcome.error().code(), base::Code::kInternal);
  }
}

TEST_F(JobdConnectionTest, RefusesAnotherVersion) {
  const auto welcome =
      HelloAnsweredBy({.version = launch::kProtocolVersion + 1, .descriptors = {"state", "log", "runtime", "listen"}}, 4);
  ASSERT_FALSE(welcome.ok());
  EXPECT_EQ(welcome.error().code(), base::Code::kFailedPrecondition);
}

TEST_F(JobdConnectionTest, TakesWhatItIsGivenAndPassesItToNobody) {
  const auto welcome = HelloAnsweredBy(
      {.server_restarts = 3, .config_name = "jobd.toml", .descriptors = {"listen", "state", "log", "runtime", "listen"}}, 5);
  ASSERT_TRUE(welcome.ok()) << welcome.error().message();
  EXPECT_EQ(welcome->ack.server_restarts, 3u);
  EXPECT_EQ(welcome->ack.config_name, "jobd.toml");
  EXPECT_EQ(welcome->listening.size(), 2u);
  for (const base::Fd* fd : {&welcome->state_dir, &welcome->log_dir, &welcome->runtime_dir}) {
    EXPECT_NE(::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, 0);
  }
}

}  // namespace
}  // namespace jobd::worker
