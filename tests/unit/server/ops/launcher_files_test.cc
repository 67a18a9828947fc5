// The server's half of a reload, as jobd sees it.
#include "server/ops/launcher_files.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "worker/launcher/local/jobd_connection.h"

namespace jobd::server {
namespace {

class ReloadLauncherFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    jobd_.reset(ends[0]);
    connection_ = std::make_unique<worker::JobdConnection>(base::Fd(ends[1]), [](const base::Error&) {});
  }
  // jobd's answers lie in the socket before they are asked for.
  void Answer(const launch::LauncherFrame& frame, const std::vector<int>& fds = {}) const {
    ASSERT_TRUE(launch::SendFrame(jobd_.get(), frame, fds).ok());
  }
  void AnswerWithUsers(uint64_t revision) const {
    const base::Fd users(::memfd_create("users", MFD_CLOEXEC));
    ASSERT_TRUE(base::WriteAll(users.get(), "[[user]]").ok());
    ASSERT_EQ(::lseek(users.get(), 0, SEEK_SET), 0);
    Answer(launch::Files{.names = {"users"}, .error = {}, .capabilities = {}, .revision = revision}, {users.get()});
  }
  // Nothing but the frames themselves is waited for: each call has sent its own by the time it returns.
  template <typename Frame>
  Frame Next() const {
    auto received = launch::ReceiveServerFrame(jobd_.get(), false);
    EXPECT_TRUE(received.ok()) << received.error().message();
    if (!received.ok()) return {};
    const auto* const frame = std::get_if<Frame>(&received->frame);
    EXPECT_NE(frame, nullptr);
    return frame != nullptr ? *frame : Frame{};
  }
  bool NothingWasSent() const {
    char byte = 0;
    return ::recv(jobd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }

  base::Fd jobd_;
  std::unique_ptr<worker::JobdConnection> connection_;
};

TEST_F(ReloadLauncherFilesTest, FaultD6WhatWasCheckedIsCommitted) {
  AnswerWithUsers(7);
  {
    const auto contents = ReloadLauncherFiles(*connection_);
    ASSERT_TRUE(contents.ok()) << contents.error().message();
    EXPECT_EQ(contents->users, "[[user]]");
    (void)Next<launch::PrepareReload>();
    Answer(launch::Reloaded{.revision = 7, .done = true});
    EXPECT_TRUE(contents->commit().ok());
    EXPECT_EQ(Next<launch::CommitReload>().revision, 7u);
  }
  EXPECT_TRUE(NothingWasSent()) << "what is in force is not dropped";
}

TEST_F(ReloadLauncherFilesTest, FaultD6WhatIsNotTakenIsDroppedByJobdToo) {
  AnswerWithUsers(8);
  ASSERT_TRUE(ReloadLauncherFiles(*connection_).ok());
  (void)Next<launch::PrepareReload>();
  EXPECT_EQ(Next<launch::AbortReload>().revision, 8u);
}

TEST_F(ReloadLauncherFilesTest, FaultD6AnotherReloadInBetweenChangesNothing) {
  AnswerWithUsers(9);
  const auto contents = ReloadLauncherFiles(*connection_);
  ASSERT_TRUE(contents.ok());
  Answer(launch::Reloaded{.revision = 9, .done = false});
  EXPECT_EQ(contents->commit().error().code(), base::Code::kAborted);
}

TEST_F(ReloadLauncherFilesTest, FaultD6WhatJobdRefusesIsNothingToDrop) {
  Answer(launch::Files{.names = {}, .error = "users.toml:3: no such role", .capabilities = {}, .revision = 0});
  const auto contents = ReloadLauncherFiles(*connection_);
  ASSERT_FALSE(contents.ok());
  EXPECT_EQ(contents.error().message(), "users.toml:3: no such role");
  (void)Next<launch::PrepareReload>();
  EXPECT_TRUE(NothingWasSent());
}

}  // namespace
}  // namespace jobd::server
