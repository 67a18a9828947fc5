#include "launch/contract/frames.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace jobd::launch {
namespace {

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

Launch FullLaunch() {
  Launch launch;
  LaunchRequest& r = launch.request;
  r.key = {1ull << 40, 7, 3};
  r.owner = "operator";
  r.correlation_id = "0190-abc";
  r.job_count = 9;
  r.argv = {"sh", "-c", std::string("\xff\n ", 3), ""};
  r.env = {{"PATH", "/bin"}, {"EMPTY", ""}};
  r.workdir = "/tmp";
  r.stdin_data = std::string("a\0b", 3);
  r.user = "nobody";
  r.profile = "open";
  r.limits = {.memory_bytes = 1ull << 33,
              .cpu_millis = 1500,
              .pids = 64,
              .output_bytes = 1000,
              .file_bytes = 1,
              .open_files = 2,
              .tmp_bytes = 3,
              .io_read_bytes_per_second = 4,
              .io_write_bytes_per_second = 5,
              .core_bytes = 6};
  r.timeout = 90 * base::kNanosPerSecond;
  r.kill_after = 5;
  return launch;
}

std::vector<ServerFrame> ServerFrames() {
  const JobKey key{5, 6, 7};
  return {Hello{},
          Ready{"127.0.0.1:7443"},
          FullLaunch(),
          Watch{key, "owner", "id"},
          CancelJob{key, 123},
          SignalJob{key, 9},
          Sweep{key},
          Reconciled{},
          ReadFiles{},
          Alive{},
          PrepareReload{},
          CommitReload{7},
          AbortReload{8}};
}

std::vector<LauncherFrame> LauncherFrames() {
  const JobKey key{5, 6, 7};
  return {HelloAck{.server_restarts = 2,
                   .capabilities = {{"cgroup", true, "v2"}, {"x", false, ""}},
                   .config_name = "jobd.toml",
                   .environment = {{"JOBD_LOG_LEVEL", "debug"}, {"JOBD_EMPTY", ""}},
                   .set_flags = {"log.level=warn"},
                   .descriptors = {"state", "listen"}},
          Refused{key, true, false, "no"},
          ShimExited{key},
          Swept{key},
          Files{{"config", "ca"},
                "",
                {.profiles = {{.name = "small", .needs_grant = true, .private_tmp = true, .tmp_bytes = 1, .open_files = 2}},
                 .missing_limits = {"pids"},
                 .most_jobs = 9},
                10},
          Files{{}, "cannot", {}},
          Ping{},
          Reloaded{11, true}};
}

// Refusals first: whatever arrives, a frame or an error comes out.

TEST(FramesTest, RefusesEveryPrefixAndEveryExtraByte) {
  for (const ServerFrame& frame : ServerFrames()) {
    const std::string bytes = EncodeFrame(frame);
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(DecodeServerFrame(Bytes(bytes).first(size)).ok());
    }
    EXPECT_FALSE(DecodeServerFrame(Bytes(bytes + 'x')).ok());
  }
}

TEST(FramesTest, RefusesATextThatClaimsMoreThanThereIs) {
  std::string bytes = EncodeFrame(ServerFrame(Ready{"address"}));
  bytes[8] = '\x7f';
  bytes[11] = '\x7f';
  EXPECT_FALSE(DecodeServerFrame(Bytes(bytes)).ok());
}

TEST(FramesTest, RefusesAListThatClaimsMoreThanThereIsBeforeAllocating) {
  std::string bytes = EncodeFrame(LauncherFrame(Files{{"a"}, "", {}}));
  for (size_t i = 8; i < 12; ++i) bytes[i] = '\xff';
  EXPECT_FALSE(DecodeLauncherFrame(Bytes(bytes)).ok());
}

TEST(FramesTest, RefusesOtherVersionsTypesAndFlags) {
  const std::string good = EncodeFrame(LauncherFrame(Refused{{1, 1, 1}, true, true, "x"}));
  std::string version = good;
  version[0] = kProtocolVersion + 1;
  EXPECT_FALSE(DecodeLauncherFrame(Bytes(version)).ok());
  std::string type = good;
  type[2] = 99;
  EXPECT_FALSE(DecodeLauncherFrame(Bytes(type)).ok());
  std::string flag = good;
  flag[8 + 16] = 2;
  EXPECT_FALSE(DecodeLauncherFrame(Bytes(flag)).ok());
}

TEST(FramesTest, AFrameOfOneSideIsNoneOfTheOther) {
  for (const ServerFrame& frame : ServerFrames()) EXPECT_FALSE(DecodeLauncherFrame(Bytes(EncodeFrame(frame))).ok());
  for (const LauncherFrame& frame : LauncherFrames()) EXPECT_FALSE(DecodeServerFrame(Bytes(EncodeFrame(frame))).ok());
}

TEST(FramesTest, SurvivesTheRoundTrip) {
  for (const ServerFrame& frame : ServerFrames()) {
    const auto decoded = DecodeServerFrame(Bytes(EncodeFrame(frame)));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->index(), frame.index());
    EXPECT_EQ(EncodeFrame(*decoded), EncodeFrame(frame));
  }
  for (const LauncherFrame& frame : LauncherFrames()) {
    const auto decoded = DecodeLauncherFrame(Bytes(EncodeFrame(frame)));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->index(), frame.index());
    EXPECT_EQ(EncodeFrame(*decoded), EncodeFrame(frame));
  }
}

class FrameSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    a_.reset(ends[0]);
    b_.reset(ends[1]);
  }
  // Sends the empty frame that stands for one in a memfd, with this descriptor.
  void SendMemfdFrame(int fd) {
    const std::string header("\x04\x00\x40\x00\x00\x00\x00\x00", 8);
    iovec iov{const_cast<char*>(header.data()), header.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    if (fd >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* c = CMSG_FIRSTHDR(&message);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(sizeof(int));
      *reinterpret_cast<int*>(CMSG_DATA(c)) = fd;
    }
    ASSERT_EQ(::sendmsg(a_.get(), &message, 0), 8);
  }
  base::Fd a_;
  base::Fd b_;
};

TEST_F(FrameSocketTest, RefusesAMemfdThatIsNotSealed) {
  const base::Fd memfd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const std::string bytes = EncodeFrame(ServerFrame(FullLaunch()));
  ASSERT_EQ(::write(memfd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  SendMemfdFrame(memfd.get());
  EXPECT_EQ(ReceiveServerFrame(b_.get(), true).error().code(), base::Code::kInvalidArgument);
  ASSERT_EQ(::fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL), 0);
  SendMemfdFrame(memfd.get());
  EXPECT_TRUE(ReceiveServerFrame(b_.get(), true).ok());
}

TEST_F(FrameSocketTest, RefusesADescriptorThatIsNoMemfdAndAMissingOne) {
  const base::Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  SendMemfdFrame(file.get());
  EXPECT_EQ(ReceiveServerFrame(b_.get(), true).error().code(), base::Code::kInvalidArgument);
  SendMemfdFrame(-1);
  EXPECT_EQ(ReceiveServerFrame(b_.get(), true).error().code(), base::Code::kInvalidArgument);
}

TEST_F(FrameSocketTest, RefusesAMessageThatIsTooLarge) {
  const std::string large(kMaxFrame + 1, 'x');
  ASSERT_EQ(::send(a_.get(), large.data(), large.size(), 0), static_cast<ssize_t>(large.size()));
  EXPECT_EQ(ReceiveServerFrame(b_.get(), true).error().code(), base::Code::kInvalidArgument);
}

TEST_F(FrameSocketTest, ALargeLaunchTravelsInAMemfd) {
  Launch launch = FullLaunch();
  launch.request.stdin_data = std::string(3'000'000, 'x');
  ASSERT_TRUE(SendFrame(a_.get(), ServerFrame(launch)).ok());
  const auto received = ReceiveServerFrame(b_.get(), true);
  ASSERT_TRUE(received.ok());
  EXPECT_EQ(std::get<Launch>(received->frame).request.stdin_data, launch.request.stdin_data);
}

TEST_F(FrameSocketTest, ALaunchBeyondThatIsNotSent) {
  Launch launch = FullLaunch();
  launch.request.stdin_data = std::string(kMaxLaunchPayload, 'x');
  EXPECT_EQ(SendFrame(a_.get(), ServerFrame(launch)).error().code(), base::Code::kInvalidArgument);
}

TEST_F(FrameSocketTest, PassesDescriptorsOfFiles) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const base::Fd reader(ends[0]);
  base::Fd writer(ends[1]);
  ASSERT_TRUE(SendFrame(a_.get(), LauncherFrame(Files{{"config"}, "", {}}), std::span(ends, 1)).ok());
  const auto received = ReceiveLauncherFrame(b_.get(), true);
  ASSERT_TRUE(received.ok());
  ASSERT_EQ(received->fds.size(), 1u);
  EXPECT_NE(::fcntl(received->fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(FrameSocketTest, TellsNothingThereFromGone) {
  EXPECT_EQ(ReceiveServerFrame(b_.get(), false).error().code(), base::Code::kAborted);
  a_.reset();
  EXPECT_EQ(ReceiveServerFrame(b_.get(), false).error().code(), base::Code::kUnavailable);
  EXPECT_EQ(SendFrame(b_.get(), ServerFrame(Hello{})).error().code(), base::Code::kUnavailable);
}

TEST_F(FrameSocketTest, TrySendDoesNotWait) {
  base::Status status;
  for (int i = 0; i < 100'000 && status.ok(); ++i) status = TrySendFrame(a_.get(), LauncherFrame(ShimExited{{1, 1, 1}}));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), base::Code::kAborted);
}

}  // namespace
}  // namespace jobd::launch
