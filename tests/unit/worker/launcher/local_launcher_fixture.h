// A LocalLauncher between a jobd that the test plays and a loop that the test drives: everything happens on the test's thread, and
// `told` is what the worker would have heard. The test writes exit slots as shims do.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/fd.h"
#include "base/files.h"
#include "launch/contract/exit_file.h"
#include "launch/contract/frames.h"
#include "tests/support/temp_dir.h"
#include "worker/launcher/local/jobd_connection.h"
#include "worker/launcher/local/local_launcher.h"

namespace jobd::worker::local_test {

using Told = std::vector<std::string>;

// Runs on whichever thread calls Turn.
class TestLoop final : public LauncherLoop {
 public:
  void Post(std::function<void()> work) override {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
    const uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
  }
  void WatchReadable(int fd, std::function<void()> ready) override { watched_[fd] = std::move(ready); }
  void Unwatch(int fd) override { watched_.erase(fd); }
  // The test's disk answers at once.
  void OnLogDisk(std::function<void()> work) override { work(); }
  size_t watched() const { return watched_.size(); }

  // Sleeps until there is something to do, and does it: descriptors first.
  void Turn() {
    std::vector<pollfd> fds{{wake_.get(), POLLIN, 0}};
    for (const auto& [fd, ready] : watched_) fds.push_back({fd, POLLIN, 0});
    ASSERT_GT(::poll(fds.data(), fds.size(), -1), 0);
    for (size_t i = 1; i < fds.size(); ++i) {
      if (fds[i].revents != 0 && watched_.contains(fds[i].fd)) watched_.at(fds[i].fd)();
    }
    std::vector<std::function<void()>> work;
    {
      const std::lock_guard lock(mutex_);
      work.swap(posted_);
      uint64_t count = 0;
      if (!work.empty()) (void)!::read(wake_.get(), &count, sizeof count);
    }
    for (const auto& one : work) one();
  }

 private:
  const base::Fd wake_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::map<int, std::function<void()>> watched_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
};

// Every event as a line: "1 started at 7" is the job of index 1.
class Recorder final : public LauncherEvents {
 public:
  void OnStarted(launch::JobKey key, base::Nanos at) override { Tell(key, "started at " + std::to_string(at)); }
  void OnEnded(launch::JobKey key, const launch::SlotRecord& record) override {
    Tell(key, "ended with " + std::to_string(record.exit.value));
  }
  void OnNotStarted(launch::JobKey key, const NotStarted& why) override {
    Tell(key, std::string("not started, ") + (why.retryable ? "passing" : "for good: " + why.text) +
                  (why.number_used ? ", number used" : ""));
  }
  void OnLost(launch::JobKey key, const Reason& why) override {
    const std::map<ReasonCode, std::string> names{{ReasonCode::kShimDied, "shim died"},
                                                  {ReasonCode::kRecordDamaged, "record damaged"},
                                                  {ReasonCode::kHostRestarted, "host restarted"}};
    Tell(key, "lost: " + names.at(why.code));
  }
  void OnReleased(launch::JobKey key) override {
    Tell(key, "released");
    if (on_released) on_released(key);
  }
  void OnPing() override { ++pings; }

  Told told;
  int pings = 0;
  std::function<void(launch::JobKey)> on_released;

 private:
  void Tell(launch::JobKey key, const std::string& what) { told.push_back(std::to_string(key.index) + " " + what); }
};

// A process that holds the lock of a slot, as a shim does.
class LockHolder {
 public:
  LockHolder(const std::filesystem::path& exits, uint32_t index) {
    int ready[2];
    if (::pipe(ready) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      const int file = ::open(exits.c_str(), O_RDWR);
      struct flock lock {};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      lock.l_start = static_cast<off_t>(launch::SlotOffset(index));
      lock.l_len = launch::kSlotSize;
      const char byte = ::fcntl(file, F_SETLK, &lock) == 0 ? 'y' : 'n';
      (void)!::write(ready[1], &byte, 1);
      for (;;) ::pause();
    }
    char byte = 0;
    (void)!::read(ready[0], &byte, 1);
    ok_ = byte == 'y';
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~LockHolder() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  LockHolder(const LockHolder&) = delete;
  LockHolder& operator=(const LockHolder&) = delete;
  bool ok() const { return ok_; }

 private:
  pid_t pid_ = -1;
  bool ok_ = false;
};

inline launch::SlotRecord Born() { return {.phase = launch::Phase::kBorn, .attempt = 1, .shim_pid = 5}; }
inline launch::SlotRecord Running() { return {.phase = launch::Phase::kRunning, .attempt = 1, .shim_pid = 5, .started_at = 7}; }
inline launch::SlotRecord Ended(int code) {
  return {.phase = launch::Phase::kEnded, .attempt = 1, .started_at = 7, .ended_at = 9, .exit = base::ExitStatus::Exited(code)};
}
inline launch::SlotRecord Attempt(uint32_t number, launch::SlotRecord record) {
  record.attempt = number;
  return record;
}
inline launch::JobKey Key(uint32_t index, uint32_t attempt = 1) { return {.batch = 5, .index = index, .attempt = attempt}; }

class LocalLauncherTest : public ::testing::Test {
 protected:
  LocalLauncherTest() { Connect(); }
  ~LocalLauncherTest() override { Disconnect(); }

  // A launcher that knows of nothing yet, and a jobd at its other end.
  void Connect() {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    jobd_.reset(ends[0]);
    loop_ = std::make_unique<TestLoop>();
    connection_ = std::make_unique<JobdConnection>(base::Fd(ends[1]), [](const base::Error&) {});
    auto launcher = LocalLauncher::Create(*connection_, log_dir_.get(), {});
    ASSERT_TRUE(launcher.ok()) << launcher.error().message();
    launcher_ = *std::move(launcher);
    launcher_->Attach(events_, *loop_);
  }
  void Disconnect() {
    launcher_.reset();
    connection_.reset();
  }
  // As after a crash: what was told before is forgotten.
  void Restart() {
    Disconnect();
    events_.told.clear();
    Connect();
  }
  // Up to where jobs can be started.
  void Begin() {
    ASSERT_TRUE(launcher_->Recover({}, false).ok());
    Expect<launch::Reconciled>();
    const base::Status opened = Open(Place());
    ASSERT_TRUE(opened.ok()) << opened.error().message();
  }
  base::Status Open(const BatchPlace& place) {
    std::optional<base::Status> opened;
    launcher_->Open(place, [&](base::Status status) { opened = std::move(status); });
    while (!opened) loop_->Turn();
    return *std::move(opened);
  }
  void Start(uint32_t index, uint32_t attempt = 1) {
    ASSERT_TRUE(launcher_->Start({.key = Key(index, attempt), .argv = {"true"}}).ok());
    EXPECT_EQ(Expect<launch::Launch>().request.key, Key(index, attempt));
  }
  base::Status Recover(std::vector<uint32_t> indexes, bool host_restarted = false, bool stopping = false, uint32_t attempt = 1) {
    std::vector<Launcher::Earlier> earlier;
    for (const uint32_t index : indexes) {
      earlier.push_back({.key = Key(index, attempt), .place = Place(), .stopping = stopping, .grace = 3});
    }
    return launcher_->Recover(earlier, host_restarted);
  }
  // The exit file that the process before has left.
  void MakeExits() {
    auto files = ExitFiles::Create(log_dir_.get());
    ASSERT_TRUE(files.ok());
    ASSERT_TRUE((*files)->Make(Place(), {}).ok());
  }
  BatchPlace Place() const { return {.batch = 5, .name = {"ann", "b"}, .job_count = job_count_}; }
  std::filesystem::path Exits() const { return dir_ / "ann/b/exits"; }

  // What a shim does.
  void Write(uint32_t index, const launch::SlotRecord& record) { WriteBytes(index, launch::EncodeSlot(record)); }
  void WriteBytes(uint32_t index, std::span<const std::byte> bytes) {
    const base::Fd file(::open(Exits().c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(base::PwriteAll(file.get(), bytes, launch::SlotOffset(index)).ok());
  }
  // The same without an inotify event: by way of memory.
  void WriteUnseen(uint32_t index, const launch::SlotRecord& record) {
    const base::Fd file(::open(Exits().c_str(), O_RDWR | O_CLOEXEC));
    const size_t size = launch::SlotOffset(index + 1);
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    ASSERT_NE(memory, MAP_FAILED);
    const auto bytes = launch::EncodeSlot(record);
    std::memcpy(static_cast<char*>(memory) + launch::SlotOffset(index), bytes.data(), bytes.size());
    ::munmap(memory, size);
  }

  // What jobd does. Frames come in the order in which they were sent.
  void Send(const launch::LauncherFrame& frame) { ASSERT_TRUE(launch::SendFrame(jobd_.get(), frame).ok()); }
  template <typename Frame>
  Frame Expect() {
    auto received = launch::ReceiveServerFrame(jobd_.get(), true);
    EXPECT_TRUE(received.ok());
    if (!received.ok()) return {};
    auto* const frame = std::get_if<Frame>(&received->frame);
    EXPECT_NE(frame, nullptr) << "another frame, number " << received->frame.index();
    return frame != nullptr ? std::move(*frame) : Frame{};
  }
  void ExpectNoFrame() {
    ASSERT_TRUE(launcher_->Alive().ok());
    Expect<launch::Alive>();
  }
  // Whatever was written and sent before has been taken in.
  void Settle() {
    const int before = events_.pings;
    Send(launch::Ping{});
    while (events_.pings == before) loop_->Turn();
  }
  const Told& AllTold() {
    Settle();
    return events_.told;
  }

  const test::TempDir dir_;
  const base::Fd log_dir_ = dir_.Open();
  uint32_t job_count_ = 8;
  base::Fd jobd_;
  Recorder events_;
  std::unique_ptr<TestLoop> loop_;
  std::unique_ptr<JobdConnection> connection_;
  std::unique_ptr<LocalLauncher> launcher_;
};

}  // namespace jobd::worker::local_test
