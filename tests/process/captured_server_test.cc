// A server that was taken over: what it may send, and what it may ask for in well-formed frames. It is dropped, or refused; the
// launcher, its files and other processes stay as they are.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "tests/process/harness/launcher_host.h"
#include "tests/support/require.h"

namespace jobd::process_test {
namespace {

using launch::JobKey;
using launch::LaunchRequest;

void SendRaw(int socket, const std::string& bytes, const std::vector<int>& fds = {}) {
  iovec iov{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  std::vector<char> control(CMSG_SPACE(sizeof(int) * fds.size()));
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  ASSERT_GE(::sendmsg(socket, &message, MSG_NOSIGNAL), 0);
}

std::string Header(uint16_t version, uint16_t type, uint32_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &version, 2);
  std::memcpy(bytes.data() + 2, &type, 2);
  std::memcpy(bytes.data() + 4, &length, 4);
  return bytes;
}

base::Fd Memfd(const std::string& bytes, bool seal) {
  base::Fd memfd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_TRUE(base::WriteAll(memfd.get(), bytes).ok());
  if (seal) ::fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return memfd;
}

class CapturedServerTest : public testing::Test {
 protected:
  // The connection is closed, and nothing else came of it.
  void ExpectDropped(const std::string& what, const std::string& bytes, const std::vector<int>& fds = {}) {
    LauncherHost host({.log_dir = logs_.path()});
    SendRaw(host.socket(), bytes, fds);
    (void)launch::SendFrame(host.socket(), launch::ServerFrame(launch::Hello{}));
    const auto answer = ReceiveFrom(host.socket());
    EXPECT_FALSE(answer.ok()) << what << " was answered";
  }
  // The launcher has done all that it was asked for before, and lives.
  void ExpectAlive() {
    host_.Send(launch::Hello{});
    EXPECT_TRUE(std::holds_alternative<launch::HelloAck>(host_.Receive()));
  }
  void ExpectRefused(const std::function<void(LaunchRequest&)>& change, const std::string& what) {
    LaunchRequest request = batch_.Request({"touch", logs_.path() + "/started"}, ++index_);
    change(request);
    host_.Send(launch::Launch{request});
    const auto answer = host_.Receive();
    ASSERT_TRUE(std::holds_alternative<launch::Refused>(answer)) << what;
    EXPECT_FALSE(std::get<launch::Refused>(answer).retry) << what;
    EXPECT_FALSE(std::filesystem::exists(logs_.path() + "/started")) << what;
  }

  TempDir logs_;
  LauncherHost host_{{.log_dir = logs_.path()}};
  Batch batch_{logs_.path(), 64};
  uint32_t index_ = 0;
};

TEST_F(CapturedServerTest, Esc12WhatIsNoFrameEndsTheConnection) {
  const uint16_t version = launch::kProtocolVersion;
  ExpectDropped("half a header", std::string(4, '\0'));
  ExpectDropped("another version", Header(version + 1, 1, 0));
  ExpectDropped("an earlier version", Header(version - 1, 1, 0));
  for (const int type : {0, 14, 63, 65, 101, 107, 65'535}) {
    ExpectDropped("type " + std::to_string(type), Header(version, static_cast<uint16_t>(type), 0));
  }
  ExpectDropped("a length that is not there", Header(version, 1, 4));
  ExpectDropped("bytes behind the frame", Header(version, 1, 0) + "x");
  ExpectDropped("a length of 4 GiB", Header(version, 3, 0xffffffff));
  ExpectDropped("a key cut short", Header(version, 7, 8) + std::string(8, '\1'));
  ExpectDropped("as large as a frame may be", Header(version, 3, 65'528) + std::string(65'528, '\xff'));
}

TEST_F(CapturedServerTest, Esc12DescriptorsThatNobodyAskedForEndTheConnection) {
  const uint16_t version = launch::kProtocolVersion;
  const base::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const std::string launch = launch::EncodeFrame(launch::ServerFrame(launch::Launch{batch_.Request({"true"})}));
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  const base::Fd in(pipe[0]);
  const base::Fd out(pipe[1]);
  const base::Fd folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const base::Fd open = Memfd(launch, false);
  const base::Fd sealed = Memfd(launch, true);
  const base::Fd empty = Memfd("", true);
  const base::Fd hello = Memfd(Header(version, 1, 0), true);
  const base::Fd nested = Memfd(Header(version, 64, 0), true);
  const std::string beside = Header(version, 64, 0);
  ExpectDropped("one beside a Hello", Header(version, 1, 0), {null.get()});
  ExpectDropped("no memfd", beside);
  ExpectDropped("two memfds", beside, {sealed.get(), sealed.get()});
  ExpectDropped("a device", beside, {null.get()});
  ExpectDropped("a pipe that nobody writes", beside, {in.get()});
  ExpectDropped("a folder", beside, {folder.get()});
  ExpectDropped("a memfd that can still change", beside, {open.get()});
  ExpectDropped("an empty one", beside, {empty.get()});
  ExpectDropped("another frame in it", beside, {hello.get()});
  ExpectDropped("one in one", beside, {nested.get()});
  ExpectDropped("a memfd beside a whole Launch", launch, {sealed.get()});
}

TEST_F(CapturedServerTest, Inp14NoJobIsRootsOrAnybodysWhomTheUsersFileDoesNotName) {
  JOBD_REQUIRE(::geteuid() == 0, "needs root");
  for (const char* user : {"root", "0", "#0", "-1", "4294967295", "nobody\n", "toor", "", "daemon", "/", "../root"}) {
    if (*user == '\0') continue;  // nobody in particular
    ExpectRefused([user](LaunchRequest& request) { request.user = user; }, std::string("as ") + user);
  }
  ExpectAlive();
}

TEST_F(CapturedServerTest, Esc12RequestsThatLeadElsewhereAreRefused) {
  for (const std::string& name :
       {std::string(".."), std::string("../owner"), std::string("/etc"), std::string(), std::string("a/b"), std::string("a\0b", 3),
        std::string(300, 'a'), std::string("."), std::string(".jobd")}) {
    ExpectRefused([&](LaunchRequest& request) { request.owner = name; }, "owner " + name);
    ExpectRefused([&](LaunchRequest& request) { request.correlation_id = name; }, "ID " + name);
    ExpectRefused([&](LaunchRequest& request) { request.profile = name; }, "profile " + name);
  }
  ExpectRefused([](LaunchRequest& request) { request.workdir = "tmp"; }, "a relative folder");
  ExpectRefused([](LaunchRequest& request) { request.workdir = std::string("/tmp\0/etc", 9); }, "a folder with a NUL");
  ExpectRefused([](LaunchRequest& request) { request.owner = "stranger"; }, "an owner whom nobody knows");
  ExpectRefused([](LaunchRequest& request) { request.key.index = 65; }, "a job outside of the batch");
  ExpectRefused([](LaunchRequest& request) { request.key.attempt = 0; }, "no attempt");
  ExpectRefused([](LaunchRequest& request) { request.timeout = -1; }, "a negative timeout");
  ExpectRefused([](LaunchRequest& request) { request.argv.clear(); }, "no program");
  ExpectRefused([](LaunchRequest& request) { request.env.emplace_back("A=B", "c"); }, "a bad name");
  ExpectAlive();
}

// The server owns the exit files: it can hold a slot's lock, and write what it likes into the slot.
TEST_F(CapturedServerTest, FaultWhoHoldsASlotIsSignalledOnlyIfItIsAShim) {
  const pid_t victim = ::fork();
  if (victim == 0) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_len = launch::kSlotSize;
    const base::Fd exits(::open((batch_.path() + "/exits").c_str(), O_RDWR | O_CLOEXEC));
    if (::fcntl(exits.get(), F_SETLK, &lock) != 0) ::_exit(1);
    const auto slot = launch::EncodeSlot({.phase = launch::Phase::kRunning,
                                          .attempt = 1,
                                          .shim_pid = static_cast<uint32_t>(::getpid()),
                                          .job_pid = 1,
                                          .deadline = 1,
                                          .kill_after = -5});
    (void)base::PwriteAll(exits.get(), slot, 0);
    for (;;) ::pause();
  }
  batch_.AwaitSlot([](const launch::SlotRecord& record) { return record.phase == launch::Phase::kRunning; });
  const auto request = batch_.Request({"true"});
  host_.Send(batch_.WatchOf(request));
  EXPECT_EQ(std::get<launch::ShimExited>(host_.Receive()).key, request.key) << "no shim is there";
  host_.Send(launch::CancelJob{request.key, 0});
  host_.Send(launch::SignalJob{request.key, SIGKILL});
  ExpectAlive();
  EXPECT_TRUE(ProcessLives(victim));
  ::kill(victim, SIGKILL);
  ::waitpid(victim, nullptr, 0);
}

TEST_F(CapturedServerTest, Esc12FramesAboutJobsThatAreNotAreHarmless) {
  for (const JobKey& key : {JobKey{0, 0, 0}, JobKey{~0ull, ~0u, ~0u}, JobKey{1, 1, 1}}) {
    host_.Send(launch::CancelJob{key, -1});
    host_.Send(launch::CancelJob{key, std::numeric_limits<base::Nanos>::max()});
    host_.Send(launch::SignalJob{key, -1});
    host_.Send(launch::SignalJob{key, 1 << 30});
    host_.Send(launch::CommitReload{~0ull});
    host_.Send(launch::AbortReload{0});
    EXPECT_FALSE(std::get<launch::Reloaded>(host_.Receive()).done);
    for (const char* name : {"..", "/", "", "owner/../owner", "nobody-of-that-name"}) {
      host_.Send(launch::Watch{.key = key, .owner = name, .correlation_id = name});
      EXPECT_EQ(std::get<launch::ShimExited>(host_.Receive()).key, key) << name;
    }
    host_.Send(launch::Sweep{key});
    EXPECT_EQ(std::get<launch::Swept>(host_.Receive()).key, key);
  }
  host_.Send(launch::Reconciled{});
  host_.Send(launch::Reconciled{});
  ExpectAlive();
}

// A job that runs can be told to end, as the server may; at once, and by no number that means never.
TEST_F(CapturedServerTest, Esc12TimesOutOfRangeAreTakenForWhatTheyCanMean) {
  const auto request = batch_.Request({"sleep", "3600"});
  host_.Send(launch::Launch{request});
  batch_.AwaitSlot([](const launch::SlotRecord& record) { return record.phase == launch::Phase::kRunning; });
  host_.Send(launch::CancelJob{request.key, std::numeric_limits<base::Nanos>::max()});
  host_.Send(launch::CancelJob{request.key, std::numeric_limits<base::Nanos>::min()});
  EXPECT_EQ(std::get<launch::ShimExited>(host_.Receive()).key, request.key);
  EXPECT_EQ(batch_.Slot().cause, launch::EndCause::kCancel);
}

}  // namespace
}  // namespace jobd::process_test
